//! The compute guest as native code. Which one is linked, build.rs decides by the name of the program.

use core::cell::RefCell;

use cortex_m::interrupt::Mutex;
use cortex_m_rt::entry;
use sandhill_rivals::Pins;

unsafe extern "C" {
    /// `guests/compute/c/compute.c`. Does not return.
    fn run();
}

static PINS: Mutex<RefCell<Option<Pins>>> = Mutex::new(RefCell::new(None));

/// An import of `guests/platform/c/platform.h`.
#[unsafe(no_mangle)]
extern "C" fn gpio_toggle(pin: u32) {
    cortex_m::interrupt::free(|token| {
        if let Some(pins) = PINS.borrow(token).borrow_mut().as_mut() {
            pins.toggle(pin);
        }
    });
}

#[entry]
fn main() -> ! {
    cortex_m::interrupt::free(|token| PINS.borrow(token).replace(Some(Pins::new())));
    // SAFETY: a function without arguments that touches its own static data, called once.
    unsafe { run() };
    unreachable!("the guest runs without end")
}
