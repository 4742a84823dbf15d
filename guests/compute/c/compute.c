// Compute: a guest that works without end and shows its speed on a pin.
//
//   imports  gpio of wit/platform.wit, through guests/platform/c/platform.h
//   memory   2 KiB of data and 1 KiB of stack; there is no heap
//
// Each edge on GPIO 17 stands for one iteration whose result was right: a wrong one traps, and no edge follows.
#include "mix.h"
#include "platform.h"

enum { SPEED_PIN = 17 };

PLATFORM_EXPORT("run") void run(void)
{
    for (;;) {
        if (mix_iteration(MIX_SEED) != MIX_RESULT)
            __builtin_trap();
        gpio_toggle(SPEED_PIN);
    }
}
