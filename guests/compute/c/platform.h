// What the compute guest asks of its board, from wit/platform.wit.
//
// On WebAssembly this is an import; elsewhere a function that whoever links the program supplies, so that native builds
// run the very same source.
#pragma once

#include <stdint.h>

#ifdef __wasm__
#define PLATFORM_IMPORT(interface, function) \
    __attribute__((import_module("embedded:platform/" interface "@0.2.0"), import_name(function)))
#else
#define PLATFORM_IMPORT(interface, function)
#endif

// Drives the pin (a GPIO number) to the opposite of what it was last driven to. A pin outside the guest's policy traps.
PLATFORM_IMPORT("gpio", "toggle") void gpio_toggle(uint32_t pin);
