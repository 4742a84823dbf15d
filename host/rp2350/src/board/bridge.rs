//! Receives UART0 while nothing can run: two DMA channels, one after the other, move what arrives into two pieces of RAM.
//!
//! Writing flash stops the core for up to 150 ms, and the UART's FIFO holds 32 bytes. The client of an update sends its
//! next request meanwhile. (RP2350 datasheet, 12.6.)

use core::ptr;

use rp235x_hal::pac;
use rp235x_hal::pac::dma::ch::ch_ctrl_trig::{DATA_SIZE_A, TREQ_SEL_A};

/// Channels that nobody else uses.
const CHANNELS: [usize; 2] = [0, 1];

fn dma() -> &'static pac::dma::RegisterBlock {
    // SAFETY: the peripheral's address; this module alone uses it.
    unsafe { &*pac::DMA::ptr() }
}

/// A transfer under way into the two pieces that [`begin`] was given.
pub struct Bridge {
    starts: [u32; 2],
}

/// Begins to move bytes into the first piece, and, when that is full, into the second.
///
/// # Safety
/// `pieces` stay valid, and nobody touches them or reads the UART, until [`Bridge::end`].
pub unsafe fn begin(uart: &pac::UART0, pieces: [&mut [u8]; 2]) -> Bridge {
    let starts = pieces.each_ref().map(|piece| piece.as_ptr() as u32);
    let [first, second] = CHANNELS;
    for (channel, piece) in CHANNELS.into_iter().zip(&pieces) {
        let registers = dma().ch(channel);
        // SAFETY: any address may be written; the pieces are the caller's to give, and the counts are theirs.
        unsafe {
            registers.ch_read_addr().write(|w| w.bits(uart.uartdr().as_ptr().addr() as u32));
            registers.ch_write_addr().write(|w| w.bits(piece.as_ptr() as u32));
            registers.ch_trans_count().write(|w| w.bits(piece.len() as u32));
        }
    }
    uart.uartdmacr().write(|w| w.rxdmae().set_bit());
    // A channel without anything to do starts no other one.
    let [has_first, has_second] = pieces.each_ref().map(|piece| !piece.is_empty());
    set_up(second, second, has_second && !has_first);
    if has_first {
        set_up(first, if has_second { second } else { first }, true);
    }
    Bridge { starts }
}

/// Sets what `channel` does and which one follows it: itself, none.
fn set_up(channel: usize, next: usize, start: bool) {
    let registers = dma().ch(channel);
    let value = |w: &mut pac::dma::ch::ch_ctrl_trig::W| {
        // SAFETY: a channel's number fits its field.
        unsafe { w.chain_to().bits(next as u8) };
        w.en().set_bit().incr_write().set_bit().irq_quiet().set_bit();
        w.data_size().variant(DATA_SIZE_A::SIZE_BYTE).treq_sel().variant(TREQ_SEL_A::UART0_RX);
    };
    if start {
        registers.ch_ctrl_trig().write(|w| {
            value(w);
            w
        });
    } else {
        // SAFETY: the same register, by an alias that does not start the channel.
        let quiet = unsafe { &*ptr::from_ref(registers.ch_al1_ctrl()).cast::<pac::dma::ch::CH_CTRL_TRIG>() };
        quiet.write(|w| {
            value(w);
            w
        });
    }
}

impl Bridge {
    /// Stops; says how many bytes arrived in each piece.
    pub fn end(self, uart: &pac::UART0) -> [usize; 2] {
        uart.uartdmacr().reset();
        for channel in CHANNELS {
            // Stops between two transfers, unlike an abort: what has been read from the UART is in RAM.
            dma().ch(channel).ch_al1_ctrl().reset();
        }
        let arrived = [0, 1].map(|n| {
            let at = dma().ch(CHANNELS[n]).ch_write_addr().read().bits();
            at.wrapping_sub(self.starts[n]) as usize
        });
        // SAFETY: a bit a channel.
        dma().chan_abort().write(|w| unsafe { w.bits(CHANNELS.iter().fold(0, |mask, n| mask | 1 << n)) });
        while dma().chan_abort().read().bits() != 0 {}
        arrived
    }
}
