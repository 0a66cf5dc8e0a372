/* One Xtensa core for GCC and binutils, which load this as a plugin (XTENSA_GNU_CONFIG): what the core has, from the
   core-isa.h of QEMU's description, and how its instructions are encoded, from the xtensa-modules.c.inc beside it. */
#include <stddef.h>
#include <stdint.h>

#include "core-isa.h"

/* The ESP32 computes doubles in software; so does every program that we compare with it. */
#undef XCHAL_HAVE_DFP
#undef XCHAL_HAVE_DFP_DIV
#undef XCHAL_HAVE_DFP_RECIP
#undef XCHAL_HAVE_DFP_SQRT
#undef XCHAL_HAVE_DFP_RSQRT

/* Cores without a unit do not say that they lack its instructions. */
#ifndef XCHAL_HAVE_FP_DIV
#define XCHAL_HAVE_FP_DIV 0
#define XCHAL_HAVE_FP_RECIP 0
#define XCHAL_HAVE_FP_SQRT 0
#define XCHAL_HAVE_FP_RSQRT 0
#endif
#ifndef XCHAL_HAVE_PREDICTED_BRANCHES
#define XCHAL_HAVE_PREDICTED_BRANCHES 0
#endif
#ifndef XCHAL_HAVE_WIDE_BRANCHES
#define XCHAL_HAVE_WIDE_BRANCHES 0
#endif
#ifndef XCHAL_HAVE_MMU
#define XCHAL_HAVE_MMU XCHAL_HAVE_PTP_MMU
#endif

#define XTHAL_ABI_WINDOWED 0
#define XTHAL_ABI_CALL0 1
#undef XSHAL_ABI
#define XSHAL_ABI XTHAL_ABI_WINDOWED
#define XSHAL_USE_ABSOLUTE_LITERALS 0
#define XSHAL_HAVE_TEXT_SECTION_LITERALS 1

#define XTENSA_CONFIG_DEFINITION
#include "xtensa-dynconfig.h"

XTENSA_CONFIG_INSTANCE_LIST;

/* The same values once more, as definitions that the preprocessor makes of "__NAME=value". */
#define TEXT(value) #value
#define DEFINITION(name, value) "__" name "=" TEXT(value)
#undef XTENSA_CONFIG_ENTRY
#define XTENSA_CONFIG_ENTRY(name) DEFINITION(#name, name)
const char* const xtensa_config_strings[] = {XTENSA_CONFIG_ENTRY_LIST, NULL};

/* GCC asks for this symbol. */
int plugin_is_GPL_compatible;

#define ATTRIBUTE_UNUSED __attribute__((unused))
#include "xtensa-modules.c.inc"
