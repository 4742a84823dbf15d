// {name}: the LED is on for half a second, off for half a second, for ever.
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
