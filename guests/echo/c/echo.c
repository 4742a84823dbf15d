// Echo in C: what comes in on the serial port goes out again.
//
//   build    make WASI_SDK_PATH=/opt/wasi-sdk     (or: guest-pack build echo-c, which goes on to the flash image)
//   imports  uart of wit/platform.wit, through platform.h; nothing of WASI
//   memory   1 KiB, all of it stack: there is no heap and no static data
#include <platform.h>

enum { PORT = 1 };
enum { TIMEOUT_MS = 1000 };

PLATFORM_EXPORT("run") void run(void)
{
    for (;;) {
        uint8_t byte;
        if (uart_read(PORT, TIMEOUT_MS, &byte))
            uart_write(PORT, &byte, 1);
    }
}
