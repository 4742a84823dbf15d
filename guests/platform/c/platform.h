// What a guest may ask of its board: wit/platform.wit in C.
//
// Written by hand because there are a dozen functions that take a few numbers each: the generator's header would be ten
// times this and bring an allocator along. It cannot drift from the contract unnoticed: guest-pack refuses a guest whose
// imports have another name or another signature than the world's.
//
// A pin is a GPIO number. A call that names a pin or a port outside the guest's policy traps.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Imports and exports (before a function that the world wants exported) of WebAssembly; for another machine they are
// functions like any other, so that a guest can be built for it and linked with a board.
#ifdef __wasm__
#define PLATFORM_IMPORT(interface, function) \
    __attribute__((import_module("embedded:platform/" interface "@0.2.0"), import_name(function)))
#define PLATFORM_EXPORT(function) __attribute__((export_name(function)))
#else
#define PLATFORM_IMPORT(interface, function)
#define PLATFORM_EXPORT(function)
#endif

// Drives the pin to 3.3 V, to ground, or to the opposite of what it was last driven to.
PLATFORM_IMPORT("gpio", "set-high") void gpio_set_high(uint32_t pin);
PLATFORM_IMPORT("gpio", "set-low") void gpio_set_low(uint32_t pin);
PLATFORM_IMPORT("gpio", "toggle") void gpio_toggle(uint32_t pin);
// The level of an input or an output.
PLATFORM_IMPORT("gpio", "is-high") bool gpio_is_high(uint32_t pin);

// Suspends the guest. A loop of delays keeps its period, whatever its own instructions cost.
PLATFORM_IMPORT("timing", "delay-ms") void timing_delay_ms(uint32_t ms);
// Suspends the guest until timing_now_us() is `us` or more.
PLATFORM_IMPORT("timing", "delay-until") void timing_delay_until(uint64_t us);
// Microseconds since the host started.
PLATFORM_IMPORT("timing", "now-us") uint64_t timing_now_us(void);

enum button_edge { BUTTON_PRESSED, BUTTON_RELEASED };

// Whether the button is pressed now.
PLATFORM_IMPORT("button", "is-pressed") bool button_is_pressed(uint32_t pin);
// Waits for an edge: true if there was one since the previous wait for it returned.
PLATFORM_IMPORT("button", "wait") bool button_wait(uint32_t pin, enum button_edge edge, uint32_t timeout_ms);

// Sends the bytes in order; returns when the host has them all.
PLATFORM_IMPORT("uart", "write") void uart_write(uint32_t port, const uint8_t *bytes, size_t length);

// How the contract's option<u8> lies in memory.
struct uart_result {
    bool some;
    uint8_t byte;
};
PLATFORM_IMPORT("uart", "read") void uart_read_into(uint32_t port, uint32_t timeout_ms, struct uart_result *result);

// Waits for the next byte that was received: false if none came.
static inline bool uart_read(uint32_t port, uint32_t timeout_ms, uint8_t *byte)
{
    struct uart_result result;
    uart_read_into(port, timeout_ms, &result);
    *byte = result.byte;
    return result.some;
}

// Sends pulses until told otherwise.
PLATFORM_IMPORT("pwm", "set") void pwm_set(uint32_t pin, uint32_t period_us, uint32_t pulse_us);
// Ends them; the pin is low.
PLATFORM_IMPORT("pwm", "stop") void pwm_stop(uint32_t pin);
