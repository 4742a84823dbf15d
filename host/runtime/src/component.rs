//! The contract as a component sees it, through Wasmtime's component model: what a desktop host offers.
//!
//! Types are checked by Wasmtime when the component is instantiated. Everything else (policy, limits, delays, reasons) is
//! [`Platform`]'s, the same as for the core modules that boards run.

use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance};
use wasmtime::{Error, Result, StoreContextMut};

use crate::platform::{Platform, State};
use crate::{Board, Violation};

/// Operations of WebAssembly in one microsecond, where run time is counted by fuel: at least as many as Pulley makes on a
/// Cortex-M33 at 150 MHz, so that a desktop ends no guest that a board would not.
pub const OPERATIONS_PER_US: u64 = 20;

/// `button.edge`. Made by Wasmtime only, out of what the guest passes.
#[allow(dead_code)]
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
enum Edge {
    #[component(name = "pressed")]
    Pressed,
    #[component(name = "released")]
    Released,
}

/// Fuel for one run of `run_us`.
pub(crate) fn fuel(run_us: u32) -> u64 {
    u64::from(run_us) * OPERATIONS_PER_US
}

/// Everything that any world of the contract imports, in both versions.
///
/// # Errors
/// None that a guest can cause.
pub(crate) fn linker<B: Board>(engine: &wasmtime::Engine) -> Result<Linker<State<B>>> {
    let mut linker = Linker::new(engine);
    let mut gpio = linker.instance("embedded:platform/gpio@0.1.0")?;
    set_high_and_low(&mut gpio)?;
    let mut timing = linker.instance("embedded:platform/timing@0.1.0")?;
    delay_ms(&mut timing)?;

    let mut gpio = linker.instance("embedded:platform/gpio@0.2.0")?;
    set_high_and_low(&mut gpio)?;
    gpio.func_wrap("toggle", |store, (pin,): (u32,)| call(store, |guest| guest.toggle(pin)))?;
    gpio.func_wrap("is-high", |store, (pin,): (u32,)| Ok((call(store, |guest| guest.is_high(pin))?,)))?;
    let mut timing = linker.instance("embedded:platform/timing@0.2.0")?;
    delay_ms(&mut timing)?;
    timing.func_wrap("delay-until", |store, (us,): (u64,)| call(store, |guest| guest.delay_until(us)))?;
    timing.func_wrap("now-us", |store, (): ()| Ok((call(store, |guest| Ok(guest.now_us()))?,)))?;
    let mut button = linker.instance("embedded:platform/button@0.2.0")?;
    button.func_wrap("is-pressed", |store, (pin,): (u32,)| Ok((call(store, |guest| guest.is_pressed(pin))?,)))?;
    button.func_wrap("wait", |store, (pin, edge, timeout_ms): (u32, Edge, u32)| {
        Ok((call(store, |guest| guest.wait(pin, matches!(edge, Edge::Pressed), timeout_ms))?,))
    })?;
    let mut uart = linker.instance("embedded:platform/uart@0.2.0")?;
    uart.func_wrap("write", |store, (port, bytes): (u32, alloc::vec::Vec<u8>)| {
        call(store, |guest| {
            guest.check_port(port)?;
            guest.write(port, &bytes)
        })
    })?;
    uart.func_wrap("read", |store, (port, timeout_ms): (u32, u32)| {
        let byte = call(store, |guest| {
            guest.check_port(port)?;
            guest.read(port, timeout_ms)
        })?;
        Ok((byte,))
    })?;
    let mut pwm = linker.instance("embedded:platform/pwm@0.2.0")?;
    pwm.func_wrap("set", |store, (pin, period_us, pulse_us): (u32, u32, u32)| {
        call(store, |guest| guest.set_pwm(pin, period_us, pulse_us))
    })?;
    pwm.func_wrap("stop", |store, (pin,): (u32,)| call(store, |guest| guest.stop_pwm(pin)))?;
    Ok(linker)
}

fn set_high_and_low<B: Board>(gpio: &mut LinkerInstance<'_, State<B>>) -> Result<()> {
    gpio.func_wrap("set-high", |store, (pin,): (u32,)| call(store, |guest| guest.set_pin(pin, true)))?;
    gpio.func_wrap("set-low", |store, (pin,): (u32,)| call(store, |guest| guest.set_pin(pin, false)))
}

fn delay_ms<B: Board>(timing: &mut LinkerInstance<'_, State<B>>) -> Result<()> {
    timing.func_wrap("delay-ms", |store, (ms,): (u32,)| call(store, |guest| guest.delay_ms(ms)))
}

/// One host call.
fn call<B: Board, R>(
    mut store: StoreContextMut<'_, State<B>>,
    function: impl FnOnce(&mut Platform<B>) -> core::result::Result<R, Violation>,
) -> Result<R> {
    let left = store.get_fuel()?;
    let platform = &mut store.data_mut().platform;
    platform.board.worked(fuel(platform.policy().run_us).saturating_sub(left));
    let serve = || {
        platform.enter()?;
        let result = function(platform)?;
        platform.leave()?;
        Ok(result)
    };
    match serve() {
        Ok(result) => {
            let run_us = platform.policy().run_us;
            store.set_fuel(fuel(run_us))?;
            Ok(result)
        }
        Err(violation) => {
            platform.fail_by(violation);
            Err(Error::new(violation))
        }
    }
}
