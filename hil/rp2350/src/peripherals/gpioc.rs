//! GPIOC: SIO's pin registers as coprocessor 0 (RP2350 datasheet §3.6.1).

use super::gpio::Gpio;
use crate::bus::{CpKind, CpOp, CpResult};

/// CRm names the register: output, output enable, input; its lowest bit the upper 32 pins.
const OUT: u8 = 0;
const OE: u8 = 4;
const IN: u8 = 8;

/// Executes an instruction; `None` if GPIOC has no such.
pub(crate) fn execute(gpio: &mut Gpio, now: u64, op: CpOp) -> Option<CpResult> {
    let register = op.crm & !1;
    let high = op.crm & 1 != 0;
    match (op.kind, op.opc1) {
        (CpKind::Mrc | CpKind::Mrrc, 0) => {
            let value = match register {
                OUT => gpio.sio_out,
                OE => gpio.sio_oe,
                IN => gpio.input(),
                _ => return None,
            };
            let value = if op.kind == CpKind::Mrc && high { value >> 32 } else { value };
            return Some(CpResult { value: value as u32, value2: (value >> 32) as u32 });
        }
        (CpKind::Mcr, 0..=3) => {
            let (shift, all) = half(high);
            change(gpio, now, register, op.opc1, u64::from(op.value) << shift, all)?;
        }
        (CpKind::Mcr, 5..=7) if !high => {
            let bit = 1u64.checked_shl(op.value).unwrap_or(0);
            change(gpio, now, register, op.opc1 - 4, bit, 0)?;
        }
        (CpKind::Mcrr, 0..=3) if !high => {
            let value = u64::from(op.value2) << 32 | u64::from(op.value);
            change(gpio, now, register, op.opc1, value, u64::MAX)?;
        }
        (CpKind::Mcrr, 4..=7) if !high => {
            let bit = 1u64.checked_shl(op.value).unwrap_or(0);
            let value = if op.value2 & 1 != 0 { bit } else { 0 };
            change(gpio, now, register, op.opc1 - 4, value, bit)?;
        }
        (CpKind::Mcrr, 8..=11) if !high && op.value2 < 2 => {
            let (shift, all) = half(op.value2 != 0);
            change(gpio, now, register, op.opc1 - 8, u64::from(op.value) << shift, all)?;
        }
        _ => return None,
    }
    Some(CpResult::default())
}

/// Where a 32-bit half begins, and its bits.
fn half(high: bool) -> (u32, u64) {
    let shift = if high { 32 } else { 0 };
    (shift, 0xffff_ffff << shift)
}

/// Put (only the bits of `field`), toggle, set, clear.
fn change(gpio: &mut Gpio, now: u64, register: u8, action: u8, value: u64, field: u64) -> Option<()> {
    let target = match register {
        OUT => &mut gpio.sio_out,
        OE => &mut gpio.sio_oe,
        _ => return None,
    };
    let old = *target;
    *target = match action {
        0 => old & !field | value,
        1 => old ^ value,
        2 => old | value,
        _ => old & !value,
    };
    let changed = old ^ *target;
    gpio.update(now, changed);
    Some(())
}
