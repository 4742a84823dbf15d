//! A guest whose thread never runs again: dropping the guest from another thread frees all that it had.
//!
//! A test of its own program, because it counts what the whole program allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use sandhill_runtime::{Board, Guest, GuestVitals, Host, Outcome, Policy, Stop};

/// Bytes allocated now.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: the system's allocator does the work; counting has no effect on it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A board whose sleep never ends, and that says when it has begun.
struct Abandoned(Sender<()>);

impl Board for Abandoned {
    fn sleep_until_us(&mut self, _: u64) -> Result<(), Stop> {
        self.0.send(()).expect("the test waits for it");
        loop {
            std::thread::park();
        }
    }

    fn set_pin(&mut self, _: u32, _: bool) {}
    fn toggle_pin(&mut self, _: u32) {}
    fn read_pin(&mut self, _: u32) -> bool {
        false
    }
    fn wait_edge(&mut self, _: u32, _: bool, _: u64) -> Result<bool, Stop> {
        Ok(false)
    }
    fn uart_write(&mut self, _: u32, _: &[u8]) -> Result<(), Stop> {
        Ok(())
    }
    fn uart_read(&mut self, _: u32, _: u64) -> Result<Option<u8>, Stop> {
        Ok(None)
    }
    fn set_pwm(&mut self, _: u32, _: u32, _: u32) {}
    fn stop_pwm(&mut self, _: u32) {}
    fn now_us(&mut self) -> u64 {
        0
    }
    fn cycles(&mut self) -> u32 {
        0
    }
}

static VITALS: GuestVitals = GuestVitals::new();

/// Moves the guest's address to the thread that runs it.
struct Address(*mut Guest<Abandoned>);

// SAFETY: the guest itself may be sent, and the test uses one of the two addresses at a time.
unsafe impl Send for Address {}

#[test]
fn dropping_an_abandoned_guest_frees_everything() {
    const GUEST: &str = r#"(module
        (import "embedded:platform/timing@0.2.0" "delay-ms" (func $delay (param i32)))
        (memory (export "memory") 4096 (pagesize 1))
        (table 60 funcref)
        (func $deeper (call $delay (i32.const 1)))
        (func (export "run") (call $deeper)))"#;
    let host = Host::for_target(64 << 10, "pulley64").expect("Pulley runs everywhere");
    let program = host.compile(GUEST.as_bytes()).expect("a sound module");
    let start = |sender| host.start(&program, "sleeper", Policy::NONE, Abandoned(sender), &VITALS).expect("it starts");

    let mut lost = Vec::new();
    for round in 0..5 {
        let (sender, asleep) = channel();
        let before = ALLOCATED.load(Ordering::SeqCst);
        let guest = Box::into_raw(Box::new(start(sender)));
        let held = ALLOCATED.load(Ordering::SeqCst) - before;
        assert!(held > (64 << 10) + 4096, "its stack and its memory: {held}");

        let address = Address(guest);
        let thread = std::thread::Builder::new();
        thread
            .spawn(move || {
                let address = address;
                // SAFETY: the guest lives until it is dropped below, after which this thread never touches it.
                unsafe { &mut *address.0 }.run()
            })
            .expect("a thread more");
        asleep.recv().expect("it falls asleep");
        // What the guest's thread itself needed stays, because the thread does.
        let running = ALLOCATED.load(Ordering::SeqCst);
        // SAFETY: the pointer is the box's, and the thread is parked for ever.
        drop(unsafe { Box::from_raw(guest) });
        let freed = running - ALLOCATED.load(Ordering::SeqCst);
        assert!(freed >= held, "round {round}: of {held} bytes {freed} were freed");
        lost.push(ALLOCATED.load(Ordering::SeqCst) - before);
    }
    // Each parked thread keeps a few bytes of its own; the engine keeps nothing.
    assert!(lost.iter().all(|bytes| *bytes < 1024), "{lost:?}");

    // The engine and its locks still work.
    let (sender, _asleep) = channel();
    let mut guest = host
        .start(
            &host.compile(b"(module (func (export \"run\")))").expect("a module"),
            "other",
            Policy::NONE,
            Abandoned(sender),
            &VITALS,
        )
        .expect("it starts");
    assert_eq!(guest.run(), Outcome::Returned);
}
