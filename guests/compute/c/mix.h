// A mix of integer work that is typical of small controllers, for comparing engines that run the same source.
//
// Freestanding C without imports, libraries or floating point; the same result on every machine. Working set 2 KiB.
#pragma once

#include <stdint.h>

enum { MIX_SEED = 0x2350 };
// What an iteration with MIX_SEED comes to. A compiler or engine that gets anything wrong gets another number.
enum { MIX_RESULT = 0xe5ce };

// One iteration: linked list (find, reverse, sort by two keys), matrices (multiply, add a constant, pick bits), a state
// machine that reads numbers from text, and a CRC-16 over all results, which is returned. Starts from `seed` alone, so
// equal seeds give equal results. Not for two threads at once: the working set is static.
uint16_t mix_iteration(uint32_t seed);
