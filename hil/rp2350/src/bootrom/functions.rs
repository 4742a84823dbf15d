//! The boot ROM's public functions (RP2350 datasheet §5.4.8), done at a high level.
//!
//! A function has its costs in time and then its effect, both from the caller's registers. The flash functions' times are
//! the flash chip's; the others take a fixed small time, which is a choice.

use super::{Entry, boot};
use crate::bus::{Bus, Master, Size};
use crate::cpu::Core;
use crate::diagnostic::What;
use crate::flash::{Job, Refusal};
use crate::memory;
use crate::soc::{FLASH_BASE, Soc};
use crate::time::UNITS_PER_SECOND;

/// Cycles of clk_sys that a call takes besides its work.
pub(crate) const CALL_CYCLES: u64 = 100;

/// Error codes (datasheet §5.4.3).
const OK: i32 = 0;
const INVALID_ARG: i32 = -5;
const INVALID_ADDRESS: i32 = -10;
const BAD_ALIGNMENT: i32 = -11;
const INVALID_STATE: i32 = -12;
const BUFFER_TOO_SMALL: i32 = -13;

const FLASH_OP_SHIFT: u32 = 16;
const FLASH_OP_ERASE: u32 = 0;
const FLASH_OP_PROGRAM: u32 = 1;
const FLASH_OP_READ: u32 = 2;
/// The block that `flash_op` erases at once, and the chip's command for it.
const D8H: (u32, u8) = (64 * 1024, 0xd8);
const MILLISECOND: u64 = UNITS_PER_SECOND / 1000;

/// This chip's unique identifier and boot-time random number: fixed, the model being deterministic.
const DEVICE_ID: [u32; 2] = [0x5a11_d411, 0x0000_2350];
const BOOT_RANDOM: [u32; 4] = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];

/// How it went with the flash: a refusal as its error code.
pub(crate) type Outcome = Result<(), i32>;

/// A function is called whose own work begins at `at`: starts what it does to the flash, and says when that is done. A
/// refused call does nothing and takes no time; its effect reports it.
pub(crate) fn begin(soc: &mut Soc, core: &Core, entry: Entry, at: u64) -> (u64, Outcome) {
    let job = match entry {
        Entry::FlashRangeErase => Job::erase(core.reg(0), core.reg(1), (core.reg(2), core.reg(3) as u8)),
        Entry::FlashRangeProgram => program(soc, core.id(), core.reg(0), core.reg(1), core.reg(2)),
        Entry::FlashOp => match core.reg(0) >> FLASH_OP_SHIFT & 7 {
            FLASH_OP_ERASE => Job::erase(offset_of(core.reg(1)), core.reg(2), D8H),
            FLASH_OP_PROGRAM => program(soc, core.id(), offset_of(core.reg(1)), core.reg(3), core.reg(2)),
            _ => return (at, Ok(())),
        },
        _ => return (at, Ok(())),
    };
    match job {
        Ok(_) if soc.flash.busy() => (at, Err(INVALID_STATE)),
        Ok(job) => {
            soc.signals.attention = true;
            (soc.flash.begin(job, core.id(), at), Ok(()))
        }
        Err(refusal) => (at, Err(error_code(refusal))),
    }
}

fn offset_of(address: u32) -> u32 {
    address.wrapping_sub(FLASH_BASE)
}

fn error_code(refusal: Refusal) -> i32 {
    match refusal {
        Refusal::Misaligned => BAD_ALIGNMENT,
        Refusal::OutOfRange => INVALID_ADDRESS,
    }
}

/// What the function does, and its result in r0. `flash` is how it went with what it began there.
pub(crate) fn call(soc: &mut Soc, core: &mut Core, entry: Entry, flash: Outcome) {
    let id = core.id();
    match entry {
        Entry::LookupValue | Entry::LookupRow => {
            let found = super::find(soc.rom(), core.reg(0), core.reg(1));
            let value = match found {
                Some(at) if entry == Entry::LookupRow => at,
                Some(at) => memory::read_half(soc.rom(), at as usize + 4).map_or(0, u32::from),
                None => {
                    soc.report(Master::Core(id), core.reg(0), What::RomLookup);
                    0
                }
            };
            core.set_reg(0, value);
        }
        Entry::FlashRangeErase | Entry::FlashRangeProgram => {
            if let Err(code) = flash {
                report_refusal(soc, id, FLASH_BASE.wrapping_add(core.reg(0)), core.reg(0), code);
            }
        }
        Entry::FlashRuntimeToStorage => {
            // There is no partition table: the address space is the flash as it is.
            let inside = (offset_of(core.reg(0)) as usize) < crate::flash::SIZE;
            core.set_reg(0, if inside { core.reg(0) } else { INVALID_ADDRESS as u32 });
        }
        Entry::FlashOp => {
            let result = flash_op(soc, core, flash);
            core.set_reg(0, result as u32);
        }
        Entry::Reboot => {
            let result = reboot(soc, core);
            core.set_reg(0, result as u32);
        }
        Entry::GetSysInfo => {
            let result = get_sys_info(soc, core);
            core.set_reg(0, result as u32);
        }
        // The model's flash is always ready, in the mode that reads, and without a cache.
        Entry::ConnectInternalFlash
        | Entry::FlashExitXip
        | Entry::FlashFlushCache
        | Entry::FlashEnterCmdXip
        | Entry::FlashSelectXipReadMode
        | Entry::FlashResetAddressTrans
        | Entry::BootromStateReset => {}
        Entry::Reset | Entry::Core1Wait | Entry::Bootsel => {}
    }
}

/// A program of what the caller's buffer holds now, read as the caller would; it cannot lie in flash, which does not answer
/// meanwhile.
fn program(soc: &mut Soc, core: u8, offset: u32, buffer: u32, count: u32) -> Result<Job, Refusal> {
    Job::program(offset, count, |n| {
        let at = buffer.wrapping_add(n);
        let byte = if at >> 28 == FLASH_BASE >> 28 { None } else { soc.read(Master::Core(core), at, Size::Byte).ok() };
        byte.map(|byte| byte as u8)
    })
}

fn flash_op(soc: &mut Soc, core: &Core, flash: Outcome) -> i32 {
    let (offset, count, buffer) = (offset_of(core.reg(1)), core.reg(2), core.reg(3));
    let done = match core.reg(0) >> FLASH_OP_SHIFT & 7 {
        FLASH_OP_ERASE | FLASH_OP_PROGRAM => flash,
        FLASH_OP_READ => read_flash(soc, core.id(), offset, buffer, count),
        _ => Err(INVALID_ARG),
    };
    match done {
        Ok(()) => OK,
        Err(code) => {
            report_refusal(soc, core.id(), core.reg(1), core.reg(1), code);
            code
        }
    }
}

/// Says why nothing was done: with where in flash it was to be, or with the argument that is wrong.
fn report_refusal(soc: &mut Soc, core: u8, address: u32, argument: u32, code: i32) {
    match code {
        INVALID_STATE => soc.report(Master::Core(core), address, What::FlashBusy),
        _ => soc.report(Master::Core(core), argument, What::RomArgument),
    }
}

fn read_flash(soc: &mut Soc, core: u8, offset: u32, buffer: u32, count: u32) -> Result<(), i32> {
    let end = offset.checked_add(count).filter(|&end| end as usize <= crate::flash::SIZE);
    if end.is_none() {
        return Err(INVALID_ADDRESS);
    }
    if soc.flash.busy() {
        return Err(INVALID_STATE);
    }
    for n in 0..count {
        let byte = u32::from(soc.flash.bytes()[(offset + n) as usize]);
        soc.write(Master::Core(core), buffer.wrapping_add(n), Size::Byte, byte).map_err(|_| INVALID_ADDRESS)?;
    }
    Ok(())
}

/// `reboot(flags, delay_ms, p0, p1)`: through the watchdog, like the ROM's.
fn reboot(soc: &mut Soc, core: &Core) -> i32 {
    let kind = core.reg(0) & 0xf;
    if !matches!(kind, 0 | boot::TYPE_BOOTSEL | 4 | boot::TYPE_PC_SP) {
        soc.report(Master::Core(core.id()), core.reg(0), What::RomArgument);
        return INVALID_ARG;
    }
    boot::put_request(&mut soc.watchdog.scratch, kind, core.reg(2), core.reg(3));
    soc.psm.select_all();
    soc.reboot_at = Some(soc.now + u64::from(core.reg(1).max(1)) * MILLISECOND);
    soc.signals.attention = true;
    OK
}

/// `get_sys_info(buffer, words, flags)`: the flags served, then for each of them, lowest first, its words.
fn get_sys_info(soc: &mut Soc, core: &Core) -> i32 {
    let (buffer, room, flags) = (core.reg(0), core.reg(1), core.reg(2));
    let items: [(u32, &[u32]); 6] = [
        (0x01, &[1, DEVICE_ID[0], DEVICE_ID[1]]),
        (0x02, &[0]),
        // Arm.
        (0x04, &[0]),
        // 4 MiB on chip select 0.
        (0x08, &[0x0a00]),
        (0x10, &BOOT_RANDOM),
        // A normal boot from flash, no partition.
        (0x40, &[0xffff_ff00, 0, 0, 0]),
    ];
    let mut words = vec![0];
    for (flag, values) in items {
        if flags & flag != 0 {
            words[0] |= flag;
            words.extend_from_slice(values);
        }
    }
    if words.len() > room as usize {
        return BUFFER_TOO_SMALL;
    }
    for (n, &word) in words.iter().enumerate() {
        let address = buffer.wrapping_add(n as u32 * 4);
        if address % 4 != 0 {
            return BAD_ALIGNMENT;
        }
        if soc.write(Master::Core(core.id()), address, Size::Word, word).is_err() {
            return INVALID_ADDRESS;
        }
    }
    words.len() as i32
}
