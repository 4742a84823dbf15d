//! How a guest is ended that ran too long, without a check in its code: its bytecode is closed to reading by two
//! overlapping regions of the MPU, on which Armv8-M faults whatever they allow (Armv8-M reference manual, B9.3). So it
//! runs on to the end of the bytecode, or of the host's code, that it is in; the next fetch of a bytecode faults, and its thread
//! is never resumed.
//!
//! The bytecode is closed only while the condemned guest runs. A fault of any other kind is the host's own.

use core::ops::Range;

use cortex_m::asm;
use cortex_m::peripheral::scb::Exception;
use cortex_m::peripheral::{DWT, MPU, SCB};
use cortex_m_rt::exception;

use super::schedule::{Schedule, State};
use super::{switch, with};
use crate::fault;

/// How a guest's thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its function returned.
    Returned,
    /// It was ended at the bytecode at this address.
    /// Its pins were safe after so many cycles.
    Running { pc: usize, safe_cycles: u32 },
}

/// MPU_CTRL: on; what no region covers is as it is without MPU (D1.2.171).
const CTRL_ENABLE: u32 = 1;
const CTRL_PRIVDEFENA: u32 = 1 << 2;
/// MPU_RLAR.EN.
const RLAR_EN: u32 = 1;
/// MPU_RBAR: privileged code may read only, execution never. It does not matter: the regions overlap.
const RBAR_READ_ONLY_NEVER_EXECUTE: u32 = 0b10 << 1 | 1;
/// Bytes of the smallest region.
pub const GRANULE: usize = 32;
/// CFSR: a data access violated the MPU, and MMFAR holds its address (D1.2.48).
const DACCVIOL: u32 = 1 << 1;
const MMARVALID: u32 = 1 << 7;

fn mpu() -> &'static cortex_m::peripheral::mpu::RegisterBlock {
    // SAFETY: the address is the MPU's; this module alone uses it, in handlers that cannot interrupt each other's writes
    // to any harm: each leaves the regions either both open or both closed.
    unsafe { &*MPU::PTR }
}

pub(super) fn init() {
    // SAFETY: no region is on, so nothing changes yet but that MemManage faults get their own handler.
    unsafe {
        for region in 0..8 {
            mpu().rnr.write(region);
            mpu().rlar.write(0);
        }
        // From here on RBAR, RLAR and their first aliases are the regions 0 and 1.
        mpu().rnr.write(0);
        mpu().ctrl.write(CTRL_ENABLE | CTRL_PRIVDEFENA);
        cortex_m::Peripherals::steal().SCB.enable(Exception::MemoryManagement);
    }
    asm::dsb();
    asm::isb();
}

/// Closes the bytecode of the thread that is about to run, if it is condemned.
pub(super) fn follow(text: Option<Range<usize>>) {
    // The register says whether anything is closed; reading it is quicker than writing four.
    if text.is_some() || mpu().rlar.read() & RLAR_EN != 0 {
        close(text);
    }
}

/// Closes `text` to everybody, or opens what was closed.
fn close(text: Option<Range<usize>>) {
    let (base, limit) = match text {
        Some(text) => (text.start as u32 | RBAR_READ_ONLY_NEVER_EXECUTE, (text.end - GRANULE) as u32 | RLAR_EN),
        None => (0, 0),
    };
    // SAFETY: what is closed is a guest's bytecode, which no host code reads but the interpreter.
    unsafe {
        mpu().rbar.write(base);
        mpu().rlar.write(limit);
        mpu().rbar_a1.write(base);
        mpu().rlar_a1.write(limit);
    }
    asm::dsb();
    asm::isb();
}

/// Condemns the running guest if it ran too long. Everything is booked.
pub(super) fn check(kernel: &mut Schedule) {
    let index = kernel.current();
    if kernel.is_bounded() && kernel.state(index) == State::Ready && kernel.run_left() == 0 {
        kernel.condemn();
        close(kernel.condemned_text(index));
    }
}

pub(super) fn returned() {
    with(|kernel| kernel.finish(kernel.current(), Ended::Returned));
    switch::request();
}

#[exception]
fn MemoryManagement() {
    let began = DWT::cycle_count();
    // SAFETY: the block's address; the status bits are cleared by writing them.
    let (cfsr, address) = unsafe { ((*SCB::PTR).cfsr.read(), (*SCB::PTR).mmfar.read() as usize) };
    with(|kernel| {
        let index = kernel.current();
        let fetch = cfsr & (DACCVIOL | MMARVALID) == DACCVIOL | MMARVALID
            && kernel.condemned_text(index).is_some_and(|text| text.contains(&address));
        if !fetch {
            fault::memory(cfsr, address);
        }
        close(None);
        (kernel.make_safe)(index - 1);
        let safe = DWT::cycle_count();
        kernel.book(safe);
        kernel.finish(index, Ended::Running { pc: address, safe_cycles: safe.wrapping_sub(began) });
    });
    // SAFETY: as above.
    unsafe { (*SCB::PTR).cfsr.write(cfsr) };
    switch::request();
}
