//! Unicorn, loaded at run time: a Cortex-M33 with code and data, of which one instruction sequence runs at a time.

use std::ffi::{c_int, c_void};
use std::path::Path;

use libloading::Library;

use crate::state::{CODE, CODE_BYTES, DATA, DATA_BYTES, FP_ACTIVE, PC, POINTER_BYTES, POINTERS, Special, State};

// unicorn/unicorn.h and unicorn/arm.h, version 2.1.
const ARCH_ARM: c_int = 1;
const MODE_THUMB: c_int = 1 << 4;
const MODE_MCLASS: c_int = 1 << 5;
const PROT_ALL: u32 = 7;
const CPU_CORTEX_M33: c_int = 11;
const CTL_WRITE: c_int = 1 << 30;
const CTL_CPU_MODEL: c_int = 7 | 1 << 26 | CTL_WRITE;
const CTL_TB_FLUSH: c_int = 10 | CTL_WRITE;
const ERR_FETCH_UNMAPPED: c_int = 8;

const REG_CPSR: c_int = 3;
const REG_FPSCR: c_int = 6;
const REG_LR: c_int = 10;
const REG_PC: c_int = 11;
const REG_SP: c_int = 12;
const REG_D0: c_int = 14;
const REG_R0: c_int = 66;
const REG_MSP: c_int = 115;
const REG_PSP: c_int = 116;
const REG_CONTROL: c_int = 117;
const REG_XPSR: c_int = 120;
const REG_PRIMASK: c_int = 123;
const REG_BASEPRI: c_int = 124;
const REG_FAULTMASK: c_int = 126;

type Handle = *mut c_void;
/// Identifiers, a pointer for each value, how many.
type TransferFn = unsafe extern "C" fn(Handle, *const c_int, *const *mut c_void, c_int) -> c_int;

/// The functions used, as `unicorn.h` declares them.
struct Api {
    reg_read_batch: TransferFn,
    reg_write_batch: TransferFn,
    mem_map_ptr: unsafe extern "C" fn(Handle, u64, u64, u32, *mut c_void) -> c_int,
    emu_start: unsafe extern "C" fn(Handle, u64, u64, u64, usize) -> c_int,
    ctl: unsafe extern "C" fn(Handle, c_int, ...) -> c_int,
    context_alloc: unsafe extern "C" fn(Handle, *mut Handle) -> c_int,
    context_save: unsafe extern "C" fn(Handle, Handle) -> c_int,
    context_restore: unsafe extern "C" fn(Handle, Handle) -> c_int,
    context_free: unsafe extern "C" fn(Handle) -> c_int,
    close: unsafe extern "C" fn(Handle) -> c_int,
    _library: Library,
}

/// A register transfer: identifiers, and where each value is. Registers up to 32 bits use the low half of a `u64`.
struct Batch {
    ids: Vec<c_int>,
    values: Box<[u64]>,
}

impl Batch {
    fn new(ids: impl IntoIterator<Item = c_int>) -> Self {
        let ids: Vec<c_int> = ids.into_iter().collect();
        let values = vec![0; ids.len()].into_boxed_slice();
        Batch { ids, values }
    }

    fn transfer(&mut self, handle: Handle, function: TransferFn) {
        let values: Vec<*mut c_void> = self.values.iter_mut().map(|value| std::ptr::from_mut(value).cast()).collect();
        // SAFETY: both arrays have the length given; each pointer is to eight bytes, no register used is longer, and
        // all of them outlive the call.
        let error = unsafe { function(handle, self.ids.as_ptr(), values.as_ptr(), self.ids.len() as c_int) };
        check("uc_reg_read_batch or uc_reg_write_batch", error);
    }
}

pub struct Engine {
    api: Api,
    handle: Handle,
    pristine: Handle,
    code: Memory,
    data: Memory,
    pointers: Memory,
    write: Batch,
    read: Batch,
    special: Batch,
}

/// Memory that Unicorn maps as it is: kept as a raw pointer, because Unicorn writes to it.
struct Memory {
    start: *mut u8,
    bytes: usize,
}

impl Memory {
    fn new(content: &[u8]) -> Self {
        let boxed: Box<[u8]> = content.into();
        Memory { bytes: boxed.len(), start: Box::into_raw(boxed).cast() }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `start` and `bytes` come from one boxed slice that lives as long as `self`, and Unicorn, which writes
        // here, only runs inside `Engine::run`, which borrows the engine mutably.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }

    fn copy_from(&mut self, content: &[u8]) {
        // SAFETY: as for `bytes`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }.copy_from_slice(content);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::into_raw` of a slice of this length, and the engine that mapped it was
        // closed first.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.start, self.bytes)) });
    }
}

impl Api {
    fn load(path: &Path) -> Result<(Self, Handle), libloading::Error> {
        // SAFETY: loading Unicorn runs its initialisers only; the signatures are those of unicorn.h 2.1, and the
        // library stays loaded as long as the function pointers, in the same struct.
        unsafe {
            let library = Library::new(path)?;
            let open: unsafe extern "C" fn(c_int, c_int, *mut Handle) -> c_int = *library.get(b"uc_open\0")?;
            let api = Api {
                reg_read_batch: *library.get(b"uc_reg_read_batch\0")?,
                reg_write_batch: *library.get(b"uc_reg_write_batch\0")?,
                mem_map_ptr: *library.get(b"uc_mem_map_ptr\0")?,
                emu_start: *library.get(b"uc_emu_start\0")?,
                ctl: *library.get(b"uc_ctl\0")?,
                context_alloc: *library.get(b"uc_context_alloc\0")?,
                context_save: *library.get(b"uc_context_save\0")?,
                context_restore: *library.get(b"uc_context_restore\0")?,
                context_free: *library.get(b"uc_context_free\0")?,
                close: *library.get(b"uc_close\0")?,
                _library: library,
            };
            let mut handle = std::ptr::null_mut();
            check("uc_open", open(ARCH_ARM, MODE_THUMB | MODE_MCLASS, &raw mut handle));
            Ok((api, handle))
        }
    }
}

/// A harness error, not a difference: the engine cannot be used.
fn check(what: &str, error: c_int) {
    assert_eq!(error, 0, "{what} failed: see uc_err in unicorn.h");
}

impl Engine {
    /// Loads the library at `path` and maps the three memories.
    pub fn new(path: &Path, code: &[u8], data: &[u8], pointers: &[u8]) -> Self {
        let (api, handle) = Api::load(path)
            .unwrap_or_else(|error| panic!("cannot load Unicorn from {}: {error:?}. Run `./x setup`.", path.display()));
        let general = (0..13).map(|n| REG_R0 + n).chain([REG_SP, REG_LR]);
        let float = (0..16).map(|n| REG_D0 + n).chain([REG_FPSCR]);
        // xPSR leaves GE alone when written; CPSR sets it, but leaves T alone.
        let write = Batch::new(general.clone().chain([REG_CPSR, REG_XPSR]).chain(float.clone()));
        let read = Batch::new(general.chain([REG_PC, REG_XPSR]).chain(float));
        let special = Batch::new([REG_MSP, REG_PSP, REG_PRIMASK, REG_BASEPRI, REG_FAULTMASK, REG_CONTROL]);
        let mut engine = Engine {
            api,
            handle,
            pristine: std::ptr::null_mut(),
            code: Memory::new(code),
            data: Memory::new(data),
            pointers: Memory::new(pointers),
            write,
            read,
            special,
        };
        // SAFETY: the handle is open, the memories are of the sizes given and live as long as the engine, and the
        // context is allocated for this handle.
        unsafe {
            let api = &engine.api;
            check("uc_ctl_set_cpu_model", (api.ctl)(handle, CTL_CPU_MODEL, CPU_CORTEX_M33));
            for (at, bytes, memory) in [
                (CODE, CODE_BYTES, &engine.code),
                (DATA, DATA_BYTES, &engine.data),
                (POINTERS, POINTER_BYTES, &engine.pointers),
            ] {
                assert_eq!(memory.bytes, bytes as usize);
                let start = memory.start.cast();
                check("uc_mem_map_ptr", (api.mem_map_ptr)(handle, at.into(), bytes.into(), PROT_ALL, start));
            }
            // Floating-point state becomes active by using it once.
            const VMRS_R0: [u8; 4] = [0xF1, 0xEE, 0x10, 0x0A];
            engine.code.copy_from(&[&VMRS_R0[..], &code[4..]].concat());
            check("uc_emu_start", (engine.api.emu_start)(handle, (CODE | 1).into(), 0, 0, 1));
            engine.code.copy_from(code);
            check("uc_context_alloc", (engine.api.context_alloc)(handle, &raw mut engine.pristine));
            check("uc_context_save", (engine.api.context_save)(handle, engine.pristine));
        }
        engine.set_code(code);
        assert_eq!(engine.special(&[0; 6])[5], FP_ACTIVE, "Unicorn's floating-point unit is not active");
        engine
    }

    /// New code: translations of the old are dropped.
    pub fn set_code(&mut self, code: &[u8]) {
        self.code.copy_from(code);
        // SAFETY: the handle is open; this control takes no further argument.
        check("uc_ctl_flush_tb", unsafe { (self.api.ctl)(self.handle, CTL_TB_FLUSH) });
    }

    pub fn data(&self) -> &[u8] {
        self.data.bytes()
    }

    pub fn set_data(&mut self, data: &[u8]) {
        self.data.copy_from(data);
    }

    /// Undoes what special-register instructions did.
    pub fn restore(&mut self) {
        // SAFETY: the context was saved from this handle.
        check("uc_context_restore", unsafe { (self.api.context_restore)(self.handle, self.pristine) });
    }

    /// Runs `instructions` at `state.r[15]` and returns what came out. `special` registers go in and out if asked for.
    pub fn run(&mut self, state: &State, instructions: u32, special: bool) -> State {
        if special {
            for (value, slot) in state.special.iter().zip(&mut self.special.values[..]) {
                *slot = u64::from(*value);
            }
            self.special.transfer(self.handle, self.api.reg_write_batch);
        }
        let values = &mut self.write.values;
        for (n, value) in state.r[..15].iter().enumerate() {
            values[n] = u64::from(*value);
        }
        values[15] = u64::from(state.xpsr);
        values[16] = u64::from(state.xpsr);
        for n in 0..16 {
            values[17 + n] = u64::from(state.s[2 * n]) | u64::from(state.s[2 * n + 1]) << 32;
        }
        values[33] = u64::from(state.fpscr);
        self.write.transfer(self.handle, self.api.reg_write_batch);

        // SAFETY: the handle is open. No code is at the address given as the end, so the count ends the run.
        let error = unsafe {
            (self.api.emu_start)(self.handle, (state.r[PC] | 1).into(), 0xFFFF_FFFE, 0, instructions as usize)
        };

        self.read.transfer(self.handle, self.api.reg_read_batch);
        let values = &self.read.values;
        let mut r = [0; 16];
        for (n, value) in r.iter_mut().enumerate() {
            *value = values[n] as u32;
        }
        let mut s = [0; 32];
        for n in 0..16 {
            (s[2 * n], s[2 * n + 1]) = (values[17 + n] as u32, (values[17 + n] >> 32) as u32);
        }
        let (xpsr, fpscr) = (values[16] as u32, values[33] as u32);
        let special = if special { self.special(&state.special) } else { state.special };
        // A branch to where there is no code has executed all the same.
        let trapped = error != 0 && error != ERR_FETCH_UNMAPPED;
        State { r, xpsr, s, fpscr, special, trapped }
    }

    /// The special registers after a run that began with `before`. Unicorn answers for unprivileged code even here: it
    /// reads as zero what cannot have changed.
    fn special(&mut self, before: &Special) -> Special {
        self.special.transfer(self.handle, self.api.reg_read_batch);
        let mut after: Special = std::array::from_fn(|n| self.special.values[n] as u32);
        if after[5] & 1 != 0 {
            after[..5].copy_from_slice(&before[..5]);
        }
        after
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: both were made by this library, and nothing uses them afterwards; the memories are freed later.
        unsafe {
            (self.api.context_free)(self.pristine);
            (self.api.close)(self.handle);
        }
    }
}
