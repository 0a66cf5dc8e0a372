// Where an Xtensa core with register windows begins, spills and reloads its windows, and goes with an exception or an
// interrupt. The places and what a window's registers are are the architecture's: "Xtensa Instruction Set Architecture
// Reference Manual", 4.7.1 (windows), 4.4.1 (exceptions).

// A frame's registers 0 to 3 are below the stack pointer of the frame that it called; the further four or eight of a
// longer frame are below the save area of the frame that called it.
.macro  save4 base                  // registers 0 to 3, base: the called frame's stack pointer
        s32e    a0, \base, -16
        s32e    a1, \base, -12
        s32e    a2, \base, -8
        s32e    a3, \base, -4
.endm
.macro  load4 base
        l32e    a0, \base, -16
        l32e    a1, \base, -12
        l32e    a2, \base, -8
        l32e    a3, \base, -4
.endm

        .section .vectors, "ax"
        .balign 1024
vectors:
        .org    vectors + 0x000     // the frame called with call4 gives way
        save4   a5
        rfwo

        .org    vectors + 0x040     // and comes back
        load4   a5
        rfwu

        .org    vectors + 0x080     // call8
        s32e    a0, a9, -16
        l32e    a0, a1, -12         // the caller's stack pointer
        s32e    a1, a9, -12
        s32e    a2, a9, -8
        s32e    a3, a9, -4
        s32e    a4, a0, -32
        s32e    a5, a0, -28
        s32e    a6, a0, -24
        s32e    a7, a0, -20
        rfwo

        .org    vectors + 0x0C0
        load4   a9
        l32e    a7, a1, -12
        l32e    a4, a7, -32
        l32e    a5, a7, -28
        l32e    a6, a7, -24
        l32e    a7, a7, -20
        rfwu

        .org    vectors + 0x100     // call12
        s32e    a0, a13, -16
        l32e    a0, a1, -12
        s32e    a1, a13, -12
        s32e    a2, a13, -8
        s32e    a3, a13, -4
        s32e    a4, a0, -48
        s32e    a5, a0, -44
        s32e    a6, a0, -40
        s32e    a7, a0, -36
        s32e    a8, a0, -32
        s32e    a9, a0, -28
        s32e    a10, a0, -24
        s32e    a11, a0, -20
        rfwo

        .org    vectors + 0x140
        load4   a13
        l32e    a11, a1, -12
        l32e    a4, a11, -48
        l32e    a5, a11, -44
        l32e    a6, a11, -40
        l32e    a7, a11, -36
        l32e    a8, a11, -32
        l32e    a9, a11, -28
        l32e    a10, a11, -24
        l32e    a11, a11, -20
        rfwu

        // Interrupts are taken in idle() alone, and only to wake up.
        .org    vectors + 0x300     // exceptions and interrupts of level 1
        wsr     a0, excsave1
        rsr     a0, exccause
        beqi    a0, 4, 1f           // an interrupt
        j       fault
1:      movi    a0, 0
        wsr     a0, intenable
        rsr     a0, excsave1
        rfe

        .org    vectors + 0x3C0     // an exception in one of these handlers
        j       fault

        // What failed may be the stack or the state of the windows: the report begins with fresh ones.
        .org    vectors + 0x400
        .literal_position
fault:  mov     a3, a1
        movi    a2, __stack_end
        mov     a1, a2
        movi    a2, 0x4000F         // windows on (WOE), no interrupt, no exception
        wsr     a2, ps
        rsync
        rsr     a2, windowbase
        ssl     a2
        movi    a2, 1
        sll     a2, a2
        wsr     a2, windowstart
        rsync
        mov     a6, a3
        movi    a4, report_fault
        callx4  a4

        .global Reset_Handler
Reset_Handler:
        movi    a2, 0
        wsr     a2, intenable
        wsr     a2, windowbase
        rsync
        movi    a2, 1
        wsr     a2, windowstart
        rsync
        movi    a2, 0x4000F
        wsr     a2, ps
        rsync
        movi    a2, vectors
        wsr     a2, vecbase
        rsync
#if !defined(VECTORS_KEEP_ADDRESSES)
        // The memory that begins at 0 appears at 0x20000000, too: way 6 of the TLB has pages of 512 MiB. There the RAM
        // is used, since a stack that leaves it downwards is then in an address range without memory.
        movi    a2, 0x20000006
        movi    a3, 0x00000003      // address 0, readable and writable, not cached
        wdtlb   a3, a2
        dsync
#endif
#if !defined(__XTENSA_SOFT_FLOAT__)
        movi    a2, 1
        wsr     a2, cpenable        // coprocessor 0 is the floating-point unit
        rsync
        movi    a2, 0
        wur     a2, fcr             // to nearest, no traps
        wur     a2, fsr
#endif
        movi    a0, 0
        movi    a1, __stack_end
        movi    a4, begin
        callx4  a4
