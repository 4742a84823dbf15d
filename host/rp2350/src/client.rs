//! The clients of the update protocol, at the other end of the console: takes their requests from the line, sends the answers, and
//! carries out what they ask of the board.
//!
//! It promises that nothing that comes over the line stops the guests or the console, and that the line is back at its usual rate
//! when nobody has used another one for a while. What a request means is decided in `sandhill-update`.

use core::fmt::Arguments;

use sandhill_runtime::wasmtime_version;
use sandhill_update::smp::{BUFFER_BYTES, Board, Receiver, Server, send};
use sandhill_update::{Error, Updates};

use crate::board::console::{self, report};
use crate::board::flash::GuestFlash;
use crate::guests::Guests;
use crate::kernel;
use crate::ram_slot::{self, RamSlot};
use crate::vitals::{self, VITALS};

/// What a client is told who asks what this is.
const APPLICATION: &str = concat!("sandhill ", env!("CARGO_PKG_VERSION"), " wasmtime ", wasmtime_version!());
/// Longest answer: a group of statistics.
const ANSWER_BYTES: usize = 768;
/// Taken from the console at once, with interrupts off.
const PIECE_BYTES: usize = 64;
/// Without a request for this long, the line goes back to its usual rate.
const RATE_LEASE_US: u64 = 60_000_000;

/// The line, and what of a request has arrived.
pub struct Line {
    receiver: Receiver<{ BUFFER_BYTES as usize }>,
    /// Taken from the console and not looked at yet.
    piece: [u8; PIECE_BYTES],
    next: usize,
    filled: usize,
    baud: u32,
    last_request_us: u64,
}

impl Line {
    pub const fn new() -> Self {
        Self {
            receiver: Receiver::new(),
            piece: [0; PIECE_BYTES],
            next: 0,
            filled: 0,
            baud: console::BAUD,
            last_request_us: 0,
        }
    }

    pub fn baud(&self) -> u32 {
        self.baud
    }

    /// Takes what has arrived, up to the end of a request: whether there is one.
    pub fn next_request(&mut self) -> bool {
        loop {
            while self.next < self.filled {
                let byte = self.piece[self.next];
                self.next += 1;
                if self.receiver.push(byte) {
                    self.last_request_us = kernel::now_us();
                    return true;
                }
            }
            self.filled = console::receive(&mut self.piece);
            self.next = 0;
            if self.filled == 0 {
                return false;
            }
        }
    }

    /// Answers the request that is there.
    pub fn answer(&self, server: &mut Server<Error>, updates: &mut Updates<GuestFlash>, around: &mut Around<'_>) {
        let mut answer = [0; ANSWER_BYTES];
        let length = server.handle(self.receiver.packet(), updates, around, &mut answer);
        if length > 0 {
            send(&answer[..length], &mut console::send);
        }
    }

    /// Does what the answer has left to do, while the client sends its next request.
    pub fn work(&self, server: &mut Server<Error>, updates: &mut Updates<GuestFlash>, around: &mut Around<'_>) {
        server.work(self.receiver.packet(), updates, around);
    }

    /// Changes the rate; it was found to be within reach.
    pub fn set_baud(&mut self, baud: u32) {
        if console::set_baud(baud) {
            self.baud = baud;
            self.last_request_us = kernel::now_us();
        }
    }

    /// Goes back to the usual rate if the other one was not used for too long.
    pub fn keep_rate(&mut self) {
        if self.baud != console::BAUD && kernel::now_us() - self.last_request_us > RATE_LEASE_US {
            self.set_baud(console::BAUD);
        }
    }
}

/// What is to be done once a request is answered.
#[derive(Clone, Copy, Default)]
pub struct Wants {
    pub reset: bool,
    pub baud: Option<u32>,
    pub run_ram: bool,
}

/// The board, as a request sees it.
pub struct Around<'a> {
    guests: &'a mut Guests,
    ram: &'a mut RamSlot,
    baud: u32,
    wants: Wants,
}

impl<'a> Around<'a> {
    pub fn new(guests: &'a mut Guests, ram: &'a mut RamSlot, baud: u32) -> Self {
        Self { guests, ram, baud, wants: Wants::default() }
    }

    /// What there is to do now, once.
    pub fn take_wants(&mut self) -> Wants {
        core::mem::take(&mut self.wants)
    }
}

impl Board for Around<'_> {
    fn application(&self) -> &str {
        APPLICATION
    }

    fn say(&mut self, line: Arguments<'_>) {
        report!(info, "{line}");
    }

    fn reset(&mut self) {
        self.wants.reset = true;
    }

    fn statistics(&mut self, group: &str, each: &mut dyn FnMut(&str, u32)) -> bool {
        vitals::update();
        match group {
            "host" => VITALS.host.each(each),
            "guest0" => VITALS.guests[0].each(each),
            "guest1" => VITALS.guests[1].each(each),
            _ => return false,
        }
        true
    }

    fn set_baud(&mut self, baud: u32) -> bool {
        let reachable = console::reaches(baud);
        if reachable {
            self.wants.baud = Some(baud);
        }
        reachable
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn ram_slot_bytes(&self) -> u32 {
        ram_slot::BYTES_MOST as u32
    }

    fn ram_slot(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if VITALS.guests[0].slot.get() == crate::guests::Place::Ram as u32 {
            self.guests.remove(0);
        }
        // SAFETY: guest 0 is the only one that could run from it.
        unsafe { self.ram.clear() };
        self.ram.make_room(bytes)
    }

    fn ram_image(&mut self) -> &mut [u8] {
        self.ram.bytes_mut()
    }

    fn run_ram_slot(&mut self) {
        self.wants.run_ram = true;
    }
}
