// Servo in C: from one end to the middle to the other end, over and over.
//
//   build    make WASI_SDK_PATH=/opt/wasi-sdk     (or: guest-pack build servo-c, which goes on to the flash image)
//   imports  pwm and timing of wit/platform.wit, through platform.h; nothing of WASI
//   memory   1 KiB of stack and a few bytes of static data: there is no heap
#include <platform.h>

enum { SERVO_PIN = 16 };
enum { PERIOD_US = 20'000 }; // 50 Hz
enum { HOLD_MS = 200 };

static const uint16_t WIDTHS_US[] = {1'000, 1'500, 2'000};

PLATFORM_EXPORT("run") void run(void)
{
    for (;;) {
        for (size_t i = 0; i < sizeof WIDTHS_US / sizeof *WIDTHS_US; i++) {
            pwm_set(SERVO_PIN, PERIOD_US, WIDTHS_US[i]);
            timing_delay_ms(HOLD_MS);
        }
    }
}
