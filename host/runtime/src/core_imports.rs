//! The contract as a core module sees it: the flattened functions of the canonical ABI, by the names of `docs/src/reference/interfaces.md`.
//!
//! Only what a guest imports is made, and all of it goes through one trampoline: at start, each further name or type costs
//! instructions, and each further closure flash.

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use wasmtime::{Caller, Error, Extern, ExternType, Func, FuncType, Module, Result, Store, ValRaw, ValType};

use crate::platform::State;
use crate::{Board, Violation};

/// Versions of the contract that a host has functions of.
pub const PACKAGES: &[&str] = &["embedded:platform@0.1.0", "embedded:platform@0.2.0"];
/// Interfaces of the newest of them.
pub const INTERFACES: &[&str] = &["gpio", "timing", "button", "uart", "pwm"];

/// A function of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Import {
    SetHigh,
    SetLow,
    Toggle,
    IsHigh,
    DelayMs,
    DelayUntil,
    NowUs,
    IsPressed,
    Wait,
    Write,
    Read,
    PwmSet,
    PwmStop,
}

/// Parameters and result, flattened.
type Signature = (&'static [ValType], Option<ValType>);

const I32: ValType = ValType::I32;

impl Import {
    /// The function of this name, in versions 0.1.0 and 0.2.0 of the contract.
    fn named(interface: &str, function: &str) -> Option<Self> {
        let (interface, version) = interface.strip_prefix("embedded:platform/")?.split_once('@')?;
        let first = match version {
            "0.1.0" => true,
            "0.2.0" => false,
            _ => return None,
        };
        let import = match (interface, function) {
            ("gpio", "set-high") => Self::SetHigh,
            ("gpio", "set-low") => Self::SetLow,
            ("timing", "delay-ms") => Self::DelayMs,
            _ if first => return None,
            ("gpio", "toggle") => Self::Toggle,
            ("gpio", "is-high") => Self::IsHigh,
            ("timing", "delay-until") => Self::DelayUntil,
            ("timing", "now-us") => Self::NowUs,
            ("button", "is-pressed") => Self::IsPressed,
            ("button", "wait") => Self::Wait,
            ("uart", "write") => Self::Write,
            ("uart", "read") => Self::Read,
            ("pwm", "set") => Self::PwmSet,
            ("pwm", "stop") => Self::PwmStop,
            _ => return None,
        };
        Some(import)
    }

    fn signature(self) -> Signature {
        match self {
            Self::SetHigh | Self::SetLow | Self::Toggle | Self::DelayMs | Self::PwmStop => (&[I32], None),
            Self::IsHigh | Self::IsPressed => (&[I32], Some(I32)),
            Self::DelayUntil => (&[ValType::I64], None),
            Self::NowUs => (&[], Some(ValType::I64)),
            Self::Wait => (&[I32, I32, I32], Some(I32)),
            Self::Write | Self::Read | Self::PwmSet => (&[I32, I32, I32], None),
        }
    }

    fn has_type(self, ty: &FuncType) -> bool {
        let (params, result) = self.signature();
        let eq =
            |a: &ValType, b: &ValType| matches!((a, b), (ValType::I32, ValType::I32) | (ValType::I64, ValType::I64));
        ty.params().len() == params.len()
            && ty.params().zip(params).all(|(a, b)| eq(&a, b))
            && ty.results().len() == usize::from(result.is_some())
            && ty.results().zip(&result).all(|(a, b)| eq(&a, b))
    }
}

/// Makes what `module` imports, in its order.
///
/// # Errors
/// It imports something that is not in the contract, or of another type.
pub(crate) fn functions<B: Board>(store: &mut Store<State<B>>, module: &Module) -> Result<Vec<Extern>> {
    let mut functions = Vec::with_capacity(module.imports().len());
    for wanted in module.imports() {
        let (interface, name) = (wanted.module(), wanted.name());
        let import = Import::named(interface, name)
            .ok_or_else(|| wasmtime::format_err!("unknown import: {name} of {interface}"))?;
        let ty = match wanted.ty() {
            ExternType::Func(ty) if import.has_type(&ty) => ty,
            _ => wasmtime::bail!("{name} of {interface} is not imported as the function that the contract has"),
        };
        // SAFETY: the function's type was compared with the one that `call` reads its arguments by.
        let function =
            unsafe { Func::new_unchecked(&mut *store, ty, move |caller, values| call(import, caller, values)) };
        functions.push(function.into());
    }
    Ok(functions)
}

/// One host call. `values` holds the arguments, then the result.
fn call<B: Board>(import: Import, mut caller: Caller<'_, State<B>>, values: &mut [MaybeUninit<ValRaw>]) -> Result<()> {
    match serve(import, &mut caller, values) {
        Ok(()) => Ok(()),
        Err(violation) => {
            caller.data_mut().platform.fail_by(violation);
            Err(Error::new(violation))
        }
    }
}

fn serve<B: Board>(
    import: Import,
    caller: &mut Caller<'_, State<B>>,
    values: &mut [MaybeUninit<ValRaw>],
) -> core::result::Result<(), Violation> {
    // SAFETY: Wasmtime has written as many arguments as the function's type has, and this reads none beyond.
    let word = |index: usize| unsafe { values[index].assume_init_ref() }.get_u32();
    let platform = &mut caller.data_mut().platform;
    platform.enter()?;
    let result = match import {
        Import::SetHigh => platform.set_pin(word(0), true).map(|()| None)?,
        Import::SetLow => platform.set_pin(word(0), false).map(|()| None)?,
        Import::Toggle => platform.toggle(word(0)).map(|()| None)?,
        Import::IsHigh => Some(ValRaw::u32(platform.is_high(word(0))?.into())),
        Import::DelayMs => platform.delay_ms(word(0)).map(|()| None)?,
        Import::DelayUntil => {
            // SAFETY: as `word`.
            let us = unsafe { values[0].assume_init_ref() }.get_u64();
            platform.delay_until(us).map(|()| None)?
        }
        Import::NowUs => Some(ValRaw::u64(platform.now_us())),
        Import::IsPressed => Some(ValRaw::u32(platform.is_pressed(word(0))?.into())),
        Import::Wait => {
            let pressed = match word(1) {
                0 => true,
                1 => false,
                edge => return Err(Violation::NoSuchEdge { edge }),
            };
            Some(ValRaw::u32(platform.wait(word(0), pressed, word(2))?.into()))
        }
        Import::Write => {
            let (port, pointer, bytes) = (word(0), word(1), word(2));
            platform.check_port(port)?;
            let (memory, state) = memory(caller);
            let bytes = part(memory, pointer, bytes)?;
            state.platform.write(port, bytes).map(|()| None)?
        }
        Import::Read => {
            const OPTION_BYTES: u32 = 2;
            let (port, timeout_ms, pointer) = (word(0), word(1), word(2));
            platform.check_port(port)?;
            part(memory(caller).0, pointer, OPTION_BYTES)?;
            let byte = caller.data_mut().platform.read(port, timeout_ms)?;
            // The same slice: a guest that waits cannot grow its memory.
            let place = part(memory(caller).0, pointer, OPTION_BYTES)?;
            place.copy_from_slice(&match byte {
                Some(byte) => [1, byte],
                None => [0, 0],
            });
            None
        }
        Import::PwmSet => platform.set_pwm(word(0), word(1), word(2)).map(|()| None)?,
        Import::PwmStop => platform.stop_pwm(word(0)).map(|()| None)?,
    };
    if let Some(result) = result {
        values[0].write(result);
    }
    caller.data_mut().platform.leave()
}

/// The guest's memory, empty if it has none, and the rest of its state.
fn memory<'a, B: Board>(caller: &'a mut Caller<'_, State<B>>) -> (&'a mut [u8], &'a mut State<B>) {
    match caller.data().memory {
        Some(memory) => memory.data_and_store_mut(caller),
        None => (&mut [], caller.data_mut()),
    }
}

/// `bytes` bytes from `pointer`.
fn part(memory: &mut [u8], pointer: u32, bytes: u32) -> core::result::Result<&mut [u8], Violation> {
    let outside = Violation::OutsideMemory { pointer, bytes };
    // Both fit: no target of Wasmtime has smaller addresses.
    let (start, length) = (pointer as usize, bytes as usize);
    let end = start.checked_add(length).ok_or(outside)?;
    memory.get_mut(start..end).ok_or(outside)
}
