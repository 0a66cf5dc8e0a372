// A Raspberry Pi Pico in rp2040js, its UART0 a TCP port of this computer.
//
//     node rp2040js.mjs <firmware.elf> <TCP port> <Python>     runs it until it is ended
//     node rp2040js.mjs --version <Python>                     the package's version, if it is found
//
// The package is looked for in the folder that RP2040JS names, in <prefix of that Python>/rp2040js, in
// ~/.local/rp2040js and where Node.js looks (NODE_PATH); each has it in node_modules.
//
// It has no boot ROM, which is Raspberry Pi's. So the firmware starts at its vector table, the first words of flash.
// The chip starts when the first client connects, so nothing that the firmware says is lost.
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const FLASH_BEGIN = 0x10000000, FLASH_BYTES = 1 << 24;
const NANOS_PER_CYCLE = 8; // 125 MHz
const INSTRUCTIONS_AT_ONCE = 20_000; // between two looks at the TCP port: some milliseconds
// The simulator executes a tenth of what the chip does in a second, so sleep takes ten times as long, too.
const SLEEP_FACTOR = 10;

// Armv6-M Architecture Reference Manual, DDI 0419.
const AIRCR = 0xd0c, AIRCR_KEY = 0x05fa, SYSRESETREQ = 1 << 2;
const CFSR = 0xd28, HFSR = 0xd2c; // of Armv7-M; here nothing is there, which reads as zero
const NMI = 2, HARD_FAULT = 3;

export function findPackage(python) {
  const prefixes = [path.dirname(path.dirname(python)), path.join(os.homedir(), '.local')];
  const folders = prefixes.map((prefix) => path.join(prefix, 'rp2040js'));
  if (process.env.RP2040JS) folders.unshift(process.env.RP2040JS);
  for (const folder of folders) {
    try {
      const require = createRequire(path.join(path.resolve(folder), 'anything.js'));
      const main = require.resolve('rp2040js');
      const { version } = JSON.parse(fs.readFileSync(path.join(main, '../../../package.json'), 'utf8'));
      return { version, load: () => require(main) };
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new Error(`rp2040js is in none of ${folders.join(', ')}`);
}

// A serial port of the chip as a TCP port. As in QEMU one client after the other has it, the next one waits.
export class Line {
  #client = null;
  #waiting = [];
  #early = [];
  #wasOpen = false;

  // `received` gets bytes of the client, `opened` is called with the first one, `drained` when it has read what waits.
  constructor(received, { opened = () => {}, drained = () => {} } = {}) {
    const serve = (socket) => {
      this.#client = socket;
      if (!this.#wasOpen) opened();
      this.#wasOpen = true;
      for (const bytes of this.#early.splice(0)) socket.write(bytes);
      socket.on('data', received);
      socket.on('drain', drained);
      socket.resume();
    };
    this.server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#waiting = this.#waiting.filter((each) => each !== socket);
        if (this.#client !== socket) return;
        this.#client = null;
        drained();
        if (this.#waiting.length > 0) serve(this.#waiting.shift());
      });
      if (this.#client === null) serve(socket);
      else this.#waiting.push(socket);
    });
  }

  listen(port) {
    this.server.listen(Number(port), '127.0.0.1', () => console.log(`waiting for a client on port ${port}`));
  }

  // What is sent before the first client comes waits for it; later, without a client, nobody gets it.
  write(bytes) {
    if (this.#client !== null) this.#client.write(bytes);
    else if (!this.#wasOpen) this.#early.push(bytes);
  }

  get isFull() {
    return this.#client !== null && this.#client.writableNeedDrain;
  }
}

// What the program has in flash: [address, bytes] of each part.
function readSegments(elf) {
  if (elf.length < 52 || elf.readUInt32BE(0) !== 0x7f454c46) throw new Error('the firmware is no ELF file');
  const segments = [];
  const table = elf.readUInt32LE(28), size = elf.readUInt16LE(42), count = elf.readUInt16LE(44);
  for (let header = table; header < table + count * size; header += size) {
    const [type, begin, , address, bytes] = [0, 4, 8, 12, 16].map((field) => elf.readUInt32LE(header + field));
    if (type !== 1 || bytes === 0) continue; // PT_LOAD
    if (address < FLASH_BEGIN || address + bytes > FLASH_BEGIN + FLASH_BYTES) {
      throw new Error(`the firmware has ${bytes} B at 0x${address.toString(16)}, outside of flash`);
    }
    segments.push([address, elf.subarray(begin, begin + bytes)]);
  }
  return segments;
}

// A chip with this program, just reset; `sram` is what its RAM holds, which a reset does not change.
// What rp2040js lacks of an Armv6-M is added here: a reset that the firmware requests, and HardFault where no memory
// answers, at a word that is not aligned, at an instruction that does not exist and at a breakpoint.
class Chip {
  isResetRequested = false;
  #isFaulty = false;

  constructor({ Simulator }, segments, sram) {
    const simulator = new Simulator();
    this.clock = simulator.clock;
    this.rp2040 = simulator.rp2040;
    this.core = this.rp2040.core;
    this.uart = this.rp2040.uart[0];
    if (sram !== undefined) this.rp2040.sram.set(sram);
    for (const [address, bytes] of segments) this.rp2040.flash.set(bytes, address - FLASH_BEGIN);
    this.#addReset(this.rp2040.ppb);
    const fault = () => { this.#isFaulty = true; };
    const ofCore = (component) => { if (component === 'RP2040' || component === 'CortexM0Core') fault(); };
    this.rp2040.logger = { debug() {}, info() {}, warn: ofCore, error: fault };
    this.rp2040.onBreak = fault;
    this.core.VTOR = FLASH_BEGIN;
    this.core.reset(); // stack pointer and first instruction
  }

  #addReset(ppb) {
    const read = ppb.readUint32.bind(ppb), write = ppb.writeUint32.bind(ppb);
    ppb.readUint32 = (offset) => (offset === CFSR || offset === HFSR ? 0 : read(offset));
    ppb.writeUint32 = (offset, value) => {
      if (offset !== AIRCR) write(offset, value);
      else if (value >>> 16 === AIRCR_KEY && value & SYSRESETREQ) this.isResetRequested = true;
    };
  }

  step() {
    const pc = this.core.PC;
    this.clock.tick(this.core.executeInstruction() * NANOS_PER_CYCLE);
    if (this.#isFaulty) this.#enterHardFault(pc);
  }

  #enterHardFault(pc) {
    const { core } = this;
    if (core.IPSR === NMI || core.IPSR === HARD_FAULT) {
      throw new Error(`lockup: a fault at 0x${((pc & ~1) >>> 0).toString(16)} in the handler of faults`);
    }
    core.PC = pc;
    core.exceptionEntry(HARD_FAULT);
    this.#isFaulty = false; // a stack that overflowed takes no frame either
  }

  // What ends WFI, also while interrupts are masked; rp2040js would enter the handler then.
  wake() {
    const { core } = this;
    const isPending = core.pendingSystick || (core.pendingInterrupts & core.enabledInterrupts) !== 0;
    if (isPending && core.exceptionPriority(core.IPSR) >= 0) core.waiting = false;
    return !core.waiting;
  }

  // Without its FIFO, which the firmware leaves off, the UART takes one byte.
  get hasRoom() {
    return this.uart.enabled && this.uart.rxEnabled && this.uart.rxFIFO.empty;
  }
}

function run(simulator, segments, port) {
  let input = Buffer.alloc(0), isIdle = true, alarm = null, chip;
  const output = [];

  const powerOn = (sram) => {
    chip = new Chip(simulator, segments, sram);
    chip.uart.onByte = (byte) => output.push(byte);
  };
  const send = () => {
    if (output.length > 0) line.write(Buffer.from(output.splice(0)));
  };
  const feed = () => {
    if (!chip.hasRoom) return;
    chip.core.waiting = false; // see wake()
    chip.uart.feedByte(input[0]);
    input = input.subarray(1);
  };
  const resume = () => {
    if (!isIdle || chip === undefined) return;
    isIdle = false;
    clearTimeout(alarm);
    setImmediate(execute);
  };
  // Until a byte comes or the chip's next timer is due. The time until a byte does not count: the chip's clock stands,
  // so the same requests take the same cycles in every run.
  const sleep = () => {
    isIdle = true;
    const nanos = chip.clock.nanosToNextAlarm;
    if (nanos <= 0) return;
    alarm = setTimeout(() => {
      chip.clock.tick(nanos);
      resume();
    }, (nanos / 1e6) * SLEEP_FACTOR);
  };
  const execute = () => {
    for (let left = INSTRUCTIONS_AT_ONCE; left > 0; left--) {
      if (input.length > 0) feed();
      if (chip.core.waiting && !chip.wake()) {
        send();
        return sleep();
      }
      chip.step();
      if (chip.isResetRequested) {
        send();
        powerOn(chip.rp2040.sram);
      }
    }
    send();
    isIdle = line.isFull; // then the chip waits for its reader
    if (!isIdle) setImmediate(execute);
  };

  const line = new Line(
    (bytes) => {
      input = Buffer.concat([input, bytes]);
      resume();
    },
    { opened: () => { powerOn(); resume(); }, drained: resume },
  );
  line.listen(port);
}

function main([first, second, third]) {
  if (first === '--version') {
    console.log(`rp2040js ${findPackage(second).version}`);
  } else {
    run(findPackage(third).load(), readSegments(fs.readFileSync(first)), second);
  }
}

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.on('uncaughtException', (error) => {
    console.error(`Error: ${error.message}`);
    process.exit(1);
  });
  main(process.argv.slice(2));
}
