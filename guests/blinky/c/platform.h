// What a guest may ask of its board: wit/platform.wit in C.
//
// Written by hand because there are three functions that take a number each: the generator's header would be ten times
// this and bring an allocator along. It cannot drift from the contract unnoticed: guest-pack refuses a guest whose
// imports have another name or another signature than the world's.
#pragma once

#include <stdint.h>

#define PLATFORM_IMPORT(interface, function) \
    __attribute__((import_module("embedded:platform/" interface "@0.2.0"), import_name(function)))

// Drives the pin (a GPIO number) to 3.3 V or to ground. A pin that does not exist, or belongs to the host, traps.
PLATFORM_IMPORT("gpio", "set-high") void gpio_set_high(uint32_t pin);
PLATFORM_IMPORT("gpio", "set-low") void gpio_set_low(uint32_t pin);

// Suspends the guest. A loop of delays keeps its period, whatever its own instructions cost.
PLATFORM_IMPORT("timing", "delay-ms") void timing_delay_ms(uint32_t ms);
