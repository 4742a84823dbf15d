//! Unicorn, loaded at run time: a RISC-V hart with flash, SRAM and [`Chip`] behind it.

use std::ffi::{c_int, c_uint, c_void};
use std::path::Path;

use libloading::Library;

use crate::chip::{APB, APB_BYTES, Chip, SIO, SIO_BYTES};
use crate::{FLASH, FLASH_BYTES, SRAM, SRAM_BYTES};

// unicorn/unicorn.h and unicorn/riscv.h, version 2.1.
const ARCH_RISCV: c_int = 8;
const MODE_RISCV32: c_int = 1 << 2;
const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const PROT_EXEC: u32 = 4;
const REG_MIE: c_int = 120;
const REG_PC: c_int = 190;

/// MIE.MTIE: the timer's interrupt ends a sleep (RISC-V privileged architecture, 3.1.9).
const MTIE: u32 = 1 << 7;
/// The instruction that sleeps.
const WFI: [u8; 4] = 0x1050_0073_u32.to_le_bytes();
const HOOK_BLOCK: c_int = 1 << 3;
/// Longest run without a sleep, in basic blocks. Not in time: Unicorn's own limit looks at a clock that every `uc_open`
/// of the process swaps for a moment, and so now and then ends a run that has only begun.
pub const PATIENCE_BLOCKS: u64 = 100_000_000;

type Handle = *mut c_void;
type ReadFn = unsafe extern "C" fn(Handle, u64, c_uint, *mut c_void) -> u64;
type WriteFn = unsafe extern "C" fn(Handle, u64, c_uint, u64, *mut c_void);
type BlockFn = unsafe extern "C" fn(Handle, u64, u32, *mut c_void);
type StopFn = unsafe extern "C" fn(Handle) -> c_int;

/// The functions used, as `unicorn.h` declares them.
struct Api {
    mem_map_ptr: unsafe extern "C" fn(Handle, u64, u64, u32, *mut c_void) -> c_int,
    mmio_map: unsafe extern "C" fn(Handle, u64, u64, ReadFn, *mut c_void, WriteFn, *mut c_void) -> c_int,
    /// Handle, where the hook's number goes, kind, callback, what it is given, and the addresses it is for: all, as the
    /// first is above the last.
    hook_add: unsafe extern "C" fn(Handle, *mut usize, c_int, BlockFn, *mut c_void, u64, u64, ...) -> c_int,
    emu_start: unsafe extern "C" fn(Handle, u64, u64, u64, usize) -> c_int,
    reg_read: unsafe extern "C" fn(Handle, c_int, *mut c_void) -> c_int,
    close: unsafe extern "C" fn(Handle) -> c_int,
    _library: Library,
}

/// Why a run paused.
pub enum Pause {
    /// At a WFI; whether the timer's interrupt would end the sleep.
    Asleep { timer_wakes: bool },
    /// There are the edges that were asked for, or patience ran out.
    Awake,
}

/// What the callbacks use. Behind a raw pointer, because Unicorn keeps it while a [`Hart`] exists.
struct Shared {
    chip: Chip,
    /// Edges after which the run pauses.
    limit: usize,
    /// Basic blocks after which it does.
    patience: u64,
    stop: StopFn,
}

pub struct Hart {
    api: Api,
    handle: Handle,
    shared: *mut Shared,
    flash: *mut [u8],
    sram: *mut [u8],
    /// Where to go on.
    pc: u32,
}

impl Hart {
    /// A hart at its reset, before the instruction at `entry`.
    pub fn new(library: &Path, flash: &[u8], entry: u32) -> Result<Self, String> {
        // SAFETY: loading Unicorn runs its initialisers only; the signatures are those of unicorn.h 2.1, and the library
        // stays loaded as long as the function pointers, in the same struct (or as what `Shared` has of it, which the
        // same `Hart` frees).
        let loaded = unsafe {
            Library::new(library).and_then(|library| {
                let open: unsafe extern "C" fn(c_int, c_int, *mut Handle) -> c_int = *library.get(b"uc_open\0")?;
                let stop: StopFn = *library.get(b"uc_emu_stop\0")?;
                let api = Api {
                    mem_map_ptr: *library.get(b"uc_mem_map_ptr\0")?,
                    mmio_map: *library.get(b"uc_mmio_map\0")?,
                    hook_add: *library.get(b"uc_hook_add\0")?,
                    emu_start: *library.get(b"uc_emu_start\0")?,
                    reg_read: *library.get(b"uc_reg_read\0")?,
                    close: *library.get(b"uc_close\0")?,
                    _library: library,
                };
                let mut handle = std::ptr::null_mut();
                check("uc_open", open(ARCH_RISCV, MODE_RISCV32, &raw mut handle));
                Ok((api, handle, stop))
            })
        };
        let (api, handle, stop) = loaded
            .map_err(|error| format!("cannot load Unicorn from {}: {error:?}. Run `./x setup`", library.display()))?;
        let memory = |content: &[u8]| Box::into_raw(Box::<[u8]>::from(content));
        let hart = Self {
            api,
            handle,
            shared: Box::into_raw(Box::new(Shared { chip: Chip::default(), limit: usize::MAX, patience: 0, stop })),
            flash: memory(flash),
            sram: memory(&vec![0xcd; SRAM_BYTES]),
            pc: entry,
        };
        for (at, bytes, rights, memory) in [
            (FLASH, FLASH_BYTES, PROT_READ | PROT_EXEC, hart.flash),
            (SRAM, SRAM_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, hart.sram),
        ] {
            assert_eq!(memory.len(), bytes);
            // SAFETY: the handle is open, and the memory is as long as said and lives until the engine is closed.
            let error = unsafe { (hart.api.mem_map_ptr)(handle, at.into(), bytes as u64, rights, memory.cast()) };
            check("uc_mem_map_ptr", error);
        }
        let windows: [(u32, usize, ReadFn, WriteFn); 2] =
            [(APB, APB_BYTES, read::<APB>, write::<APB>), (SIO, SIO_BYTES, read::<SIO>, write::<SIO>)];
        for (at, bytes, read, write) in windows {
            let shared = hart.shared.cast();
            // SAFETY: the handle is open, and what `shared` points to lives until the engine is closed.
            check("uc_mmio_map", unsafe {
                (hart.api.mmio_map)(handle, at.into(), bytes as u64, read, shared, write, shared)
            });
        }
        let mut number = 0;
        // SAFETY: as for the windows.
        check("uc_hook_add", unsafe {
            (hart.api.hook_add)(handle, &raw mut number, HOOK_BLOCK, block, hart.shared.cast(), 1, 0)
        });
        Ok(hart)
    }

    /// Runs until the hart sleeps or there are `limit` edges.
    pub fn run(&mut self, limit: usize) -> Result<Pause, String> {
        // SAFETY: only callbacks use them otherwise, and none runs now.
        unsafe { ((*self.shared).limit, (*self.shared).patience) = (limit, PATIENCE_BLOCKS) };
        // No code ends at this address: the run ends by itself, or by a callback.
        const NOWHERE: u64 = 0xffff_fffe;
        // SAFETY: the handle is open; what its callbacks use is not borrowed.
        let error = unsafe { (self.api.emu_start)(self.handle, self.pc.into(), NOWHERE, 0, 0) };
        self.pc = self.register(REG_PC);
        if let Some(what) = self.chip().unmodelled.clone() {
            return Err(format!("{what}, near 0x{:08x}", self.pc));
        }
        if error != 0 {
            return Err(format!("Unicorn stopped at 0x{:08x}: error {error} of unicorn.h", self.pc));
        }
        let asleep =
            self.pc.checked_sub(FLASH + 4).and_then(|at| self.flash().get(at as usize..)?.get(..4)) == Some(&WFI);
        Ok(if asleep { Pause::Asleep { timer_wakes: self.register(REG_MIE) & MTIE != 0 } } else { Pause::Awake })
    }

    pub fn pc(&self) -> u32 {
        self.pc
    }

    pub fn chip(&self) -> &Chip {
        // SAFETY: callbacks change it only inside `run`, which borrows the hart mutably.
        unsafe { &(*self.shared).chip }
    }

    pub fn chip_mut(&mut self) -> &mut Chip {
        // SAFETY: as for `chip`, and the hart is borrowed mutably.
        unsafe { &mut (*self.shared).chip }
    }

    pub fn sram(&self) -> &[u8] {
        // SAFETY: a live allocation that Unicorn writes to only inside `run`, which borrows the hart mutably.
        unsafe { &*self.sram }
    }

    fn flash(&self) -> &[u8] {
        // SAFETY: as for `sram`.
        unsafe { &*self.flash }
    }

    fn register(&self, id: c_int) -> u32 {
        let mut value = 0_u64;
        // SAFETY: the handle is open, and the value has room for a register of either width.
        check("uc_reg_read", unsafe { (self.api.reg_read)(self.handle, id, (&raw mut value).cast()) });
        value as u32
    }
}

impl Drop for Hart {
    fn drop(&mut self) {
        // SAFETY: nothing uses the engine afterwards; what it was given is freed after it was closed, and each pointer came
        // from `Box::into_raw`.
        unsafe {
            (self.api.close)(self.handle);
            drop(Box::from_raw(self.shared));
            drop(Box::from_raw(self.flash));
            drop(Box::from_raw(self.sram));
        }
    }
}

/// A harness error: the engine cannot be used.
fn check(what: &str, error: c_int) {
    assert_eq!(error, 0, "{what} failed: see uc_err in unicorn.h");
}

unsafe extern "C" fn read<const BASE: u32>(_: Handle, offset: u64, _: c_uint, shared: *mut c_void) -> u64 {
    // SAFETY: Unicorn hands back the pointer it was given, on the thread that called `Hart::run`, which uses nothing of
    // it meanwhile.
    let shared = unsafe { &mut *shared.cast::<Shared>() };
    shared.chip.read(BASE + offset as u32).into()
}

unsafe extern "C" fn write<const BASE: u32>(handle: Handle, offset: u64, _: c_uint, value: u64, shared: *mut c_void) {
    // SAFETY: as in `read`.
    let shared = unsafe { &mut *shared.cast::<Shared>() };
    shared.chip.write(BASE + offset as u32, value as u32);
    if shared.chip.edges.len() >= shared.limit || shared.chip.unmodelled.is_some() {
        // SAFETY: the engine is running, or this would not be called.
        unsafe { (shared.stop)(handle) };
    }
}

unsafe extern "C" fn block(handle: Handle, _: u64, _: u32, shared: *mut c_void) {
    // SAFETY: as in `read`.
    let shared = unsafe { &mut *shared.cast::<Shared>() };
    shared.patience = shared.patience.saturating_sub(1);
    if shared.patience == 0 {
        // SAFETY: the engine is running, or this would not be called.
        unsafe { (shared.stop)(handle) };
    }
}
