// Blinky in C: the LED is on for half a second, off for half a second, for ever.
//
//   build    make WASI_SDK_PATH=/opt/wasi-sdk     (or: guest-pack build blinky-c, which goes on to the flash image)
//   imports  gpio and timing of wit/platform.wit, through platform.h; nothing of WASI
//   memory   1 KiB, all of it stack: there is no heap and no static data
#include <platform.h>

enum { LED_PIN = 25 }; // the LED on a Raspberry Pi Pico 2
enum { HALF_PERIOD_MS = 500 };

PLATFORM_EXPORT("run") void run(void)
{
    for (;;) {
        gpio_set_high(LED_PIN);
        timing_delay_ms(HALF_PERIOD_MS);
        gpio_set_low(LED_PIN);
        timing_delay_ms(HALF_PERIOD_MS);
    }
}
