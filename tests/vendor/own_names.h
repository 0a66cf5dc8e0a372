// Headers of the framework that have the words of ours as names: it must get its own.
#pragma once

#include <board.h>
#include <control.h>
#include <identity.h>
#include <placement.h>
#include <policy.h>
#include <port.h>
#include <wrapped_floats.h>

#if !defined(VENDOR_BOARD)
#error "another <board.h> than the framework's was found first"
#endif
#if !defined(VENDOR_CONTROL)
#error "another <control.h> than the framework's was found first"
#endif
#if !defined(VENDOR_IDENTITY)
#error "another <identity.h> than the framework's was found first"
#endif
#if !defined(VENDOR_PLACEMENT)
#error "another <placement.h> than the framework's was found first"
#endif
#if !defined(VENDOR_POLICY)
#error "another <policy.h> than the framework's was found first"
#endif
#if !defined(VENDOR_PORT)
#error "another <port.h> than the framework's was found first"
#endif
#if !defined(VENDOR_WRAPPED_FLOATS)
#error "another <wrapped_floats.h> than the framework's was found first"
#endif
