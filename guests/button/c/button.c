// Button in C: the LED is on while the button is pressed.
//
//   build    make WASI_SDK_PATH=/opt/wasi-sdk     (or: guest-pack build button-c, which goes on to the flash image)
//   imports  gpio and button of wit/platform.wit, through platform.h; nothing of WASI
//   memory   1 KiB, all of it stack: there is no heap and no static data
#include <platform.h>

enum { LED_PIN = 25 }; // the LED on a Raspberry Pi Pico 2
enum { BUTTON_PIN = 15 };
enum { TIMEOUT_MS = 1000 };

PLATFORM_EXPORT("run") void run(void)
{
    for (;;) {
        // The level decides and an edge only wakes: a contact that bounces cannot leave the LED the wrong way round.
        if (button_is_pressed(BUTTON_PIN)) {
            gpio_set_high(LED_PIN);
            button_wait(BUTTON_PIN, BUTTON_RELEASED, TIMEOUT_MS);
        } else {
            gpio_set_low(LED_PIN);
            button_wait(BUTTON_PIN, BUTTON_PRESSED, TIMEOUT_MS);
        }
    }
}
