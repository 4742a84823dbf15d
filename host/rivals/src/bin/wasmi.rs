//! A core module run by wasmi. It lies in guest slot 0: its length as a little-endian word, then its bytes.

#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;
use sandhill_rivals::Pins;
use wasmi::{Caller, Config, Engine, Linker, Module, Store};

/// More than is needed: what counts is [`HEAP_PEAK`].
const HEAP_BYTES: usize = 256 * 1024;

#[unsafe(link_section = ".uninit.heap")]
static mut MEMORY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];

/// Most bytes of the heap that were in use at once, with the allocator's own overhead.
#[unsafe(no_mangle)]
static HEAP_PEAK: AtomicUsize = AtomicUsize::new(0);

struct Measured(LlffHeap);

#[global_allocator]
static HEAP: Measured = Measured(LlffHeap::empty());

// SAFETY: every request goes unchanged to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the inner allocator's.
        let block = unsafe { self.0.alloc(layout) };
        // One thread: a load and a store are enough.
        HEAP_PEAK.store(HEAP_PEAK.load(Ordering::Relaxed).max(self.0.used()), Ordering::Relaxed);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the inner allocator's.
        unsafe { self.0.dealloc(block, layout) };
    }
}

/// The bytes of the module in slot 0.
fn module() -> &'static [u8] {
    unsafe extern "C" {
        static __guest_slot0_start: u32;
        static __guest_slot0_end: u32;
    }
    let start = &raw const __guest_slot0_start;
    let room = (&raw const __guest_slot0_end).addr() - start.addr() - size_of::<u32>();
    // SAFETY: the linker script reserves this range of flash, which is mapped for reading and never written.
    let length = unsafe { start.read() } as usize;
    assert!(length <= room, "no module in slot 0");
    // SAFETY: as above, and the length was checked.
    unsafe { core::slice::from_raw_parts(start.add(1).cast(), length) }
}

#[entry]
fn main() -> ! {
    // SAFETY: called once, and nobody else names MEMORY.
    unsafe { HEAP.0.init((&raw mut MEMORY).addr(), HEAP_BYTES) };
    run(module()).expect("the module runs");
    unreachable!("the guest runs without end")
}

fn run(module: &[u8]) -> Result<(), wasmi::Error> {
    let mut config = Config::default();
    // As small as Sandhill's own: 4 KiB of values, no debug names, no second stack kept.
    config
        .wasm_custom_page_sizes(true)
        .ignore_custom_sections(true)
        .set_min_stack_height(4096)
        .set_max_stack_height(4096)
        .set_max_recursion_depth(64)
        .set_max_cached_stacks(1);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, module)?;
    let mut store = Store::new(&engine, Pins::new());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("embedded:platform/gpio@0.2.0", "toggle", |mut caller: Caller<'_, Pins>, pin: u32| {
        caller.data_mut().toggle(pin);
    })?;
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&store, "run")?.call(&mut store, ())
}
