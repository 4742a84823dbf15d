//! DMA's transfers: over the same bus as a core's accesses, each in a cycle of clk_sys, before what the cores do in it.

use super::Soc;
use crate::bus::{Bus, Master, Size};
use crate::diagnostic::What;
use crate::peripherals::dma::{DREQ_UART0_TX, Outcome, Transfer};

impl Soc {
    /// The channels that can transfer now.
    fn dma_ready(&self) -> u16 {
        if self.dma.idle() {
            return 0;
        }
        let [first, second] = &self.uarts;
        self.dma.ready((first.dma_requests() | second.dma_requests() << 2) << DREQ_UART0_TX)
    }

    /// When DMA transfers next: in this cycle, unless it has done so, else in the next one; never while nobody asks for it.
    pub(super) fn dma_next_event(&self) -> u64 {
        match self.clk_sys {
            Some(mut cadence) if self.dma_ready() != 0 => {
                if self.dma_served == Some(self.now) {
                    self.now + cadence.step()
                } else {
                    self.now
                }
            }
            _ => u64::MAX,
        }
    }

    /// The transfer of this cycle, if there is one to be made.
    pub(super) fn dma_service(&mut self) {
        if self.dma_served == Some(self.now) || self.clk_sys.is_none() {
            return;
        }
        let ready = self.dma_ready();
        let Some(n) = self.dma.pick(ready) else {
            return;
        };
        self.dma_served = Some(self.now);
        let outcome = match self.dma.transfer(n) {
            Some(transfer) => self.dma_transfer(n, transfer),
            None => Outcome::Done,
        };
        self.dma.transferred(n, outcome);
    }

    fn dma_transfer(&mut self, n: usize, transfer: Transfer) -> Outcome {
        let Transfer { read, write, size, swap } = transfer;
        let master = Master::Dma(n as u8);
        if !read.is_multiple_of(size.bytes()) {
            self.report(master, read, What::Setting);
            return Outcome::ReadError;
        }
        if !write.is_multiple_of(size.bytes()) {
            self.report(master, write, What::Setting);
            return Outcome::WriteError;
        }
        let Ok(value) = self.read(master, read, size) else {
            return Outcome::ReadError;
        };
        self.dma.advance_read(n);
        let value = match size {
            Size::Half if swap => u32::from((value as u16).swap_bytes()),
            Size::Word if swap => value.swap_bytes(),
            _ => value,
        };
        // Before the write, which may be to the channel's own registers.
        self.dma.advance_write(n);
        if self.write(master, write, size, value).is_err() {
            return Outcome::WriteError;
        }
        self.signals.dma_wrote = Some(write);
        Outcome::Done
    }
}
