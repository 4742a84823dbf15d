//! IO_BANK0 and PADS_BANK0: from the peripherals' wishes to the level of a pin, and back (RP2350 datasheet §9).
//!
//! A pin that the chip drives has the chip's level, whatever pulls on it from outside; otherwise an outside driver wins
//! over the pad's pulls; without either it reads low. Of the functions, SIO, UART and PWM drive; the others are reported. IRQOVER
//! is remembered and has no effect.

use super::uart::Wires;
use crate::diagnostic::What;
use crate::{Edge, Instant, Line};

/// Registers exist for 48 pins; the Pico 2's chip brings 30 of them out.
pub(crate) const PINS: usize = 48;
pub(crate) const BONDED: usize = 30;

const FUNC_UART: u32 = 2;
const FUNC_PWM: u32 = 4;
const FUNC_SIO: u32 = 5;
const FUNC_UART_AUX: u32 = 11;
const FUNC_NULL: u32 = 31;
const ISO: u32 = 1 << 8;
const OUTPUT_DISABLE: u32 = 1 << 7;
const INPUT_ENABLE: u32 = 1 << 6;
const PULL_UP: u32 = 1 << 3;
const PULL_DOWN: u32 = 1 << 2;
/// Isolated, 4 mA, pulled down, Schmitt trigger (datasheet §9.11.3).
const PAD_RESET: u32 = 0x116;
const SWD_PAD_RESET: u32 = 0x5a;
/// Processor 0, processor 1, dormant wake.
const TARGETS: usize = 3;
const INTR_WORDS: usize = 6;
/// Edge bits of each pin's nibble in the interrupt registers; the lower two are levels.
const EDGE_BITS: u32 = 0xcccc_cccc;

#[derive(Clone, Copy, Default)]
struct Interrupts {
    enable: [u32; INTR_WORDS],
    force: [u32; INTR_WORDS],
}

#[derive(Clone)]
pub(crate) struct Gpio {
    ctrl: [u32; PINS],
    pads: [u32; PINS],
    swd_pads: [u32; 2],
    voltage: u32,
    /// What SIO, the UARTs and the PWM slices want.
    pub(crate) sio_out: u64,
    pub(crate) sio_oe: u64,
    pub(crate) uart_tx: [bool; 2],
    /// Two bits a slice: channel A, channel B.
    pwm: u32,
    /// Output and output enable as they reach the pads, held while ISO is set.
    out: u64,
    oe: u64,
    external: [Option<bool>; PINS],
    level: u64,
    /// Levels as the peripherals see them.
    input: u64,
    edges: [u32; INTR_WORDS],
    interrupts: [Interrupts; TARGETS],
    /// Whether any interrupt is enabled or forced: if not, pin changes need no attention.
    watched: bool,
    log: Vec<Edge>,
}

impl Gpio {
    pub(crate) fn new() -> Self {
        Self {
            ctrl: [FUNC_NULL; PINS],
            pads: [PAD_RESET; PINS],
            swd_pads: [SWD_PAD_RESET; 2],
            voltage: 0,
            sio_out: 0,
            sio_oe: 0,
            uart_tx: [true; 2],
            pwm: 0,
            out: 0,
            oe: 0,
            external: [None; PINS],
            level: 0,
            input: 0,
            edges: [0; INTR_WORDS],
            interrupts: [Interrupts::default(); TARGETS],
            watched: false,
            log: Vec::new(),
        }
    }

    pub(crate) fn reset_io(&mut self, now: u64) {
        self.ctrl = [FUNC_NULL; PINS];
        self.edges = [0; INTR_WORDS];
        self.interrupts = [Interrupts::default(); TARGETS];
        self.watched = false;
        self.update(now, u64::MAX);
    }

    pub(crate) fn reset_pads(&mut self, now: u64) {
        self.pads = [PAD_RESET; PINS];
        self.swd_pads = [SWD_PAD_RESET; 2];
        self.voltage = 0;
        self.out = 0;
        self.oe = 0;
        self.update(now, u64::MAX);
    }

    pub(crate) fn level(&self, pin: u8) -> bool {
        self.level.checked_shr(u32::from(pin)).is_some_and(|level| level & 1 != 0)
    }

    /// What GPIO_IN reads.
    pub(crate) fn input(&self) -> u64 {
        self.input
    }

    pub(crate) fn drive(&mut self, now: u64, pin: u8, level: Option<bool>) {
        if let Some(external) = self.external.get_mut(usize::from(pin)) {
            *external = level;
            self.update(now, 1 << pin);
        }
    }

    pub(crate) fn log(&mut self, now: u64, line: Line, high: bool) {
        self.log.push(Edge { at: Instant::from_units(now), line, high });
    }

    pub(crate) fn take_log(&mut self, into: &mut Vec<Edge>) {
        into.append(&mut self.log);
    }

    pub(crate) fn watched(&self) -> bool {
        self.watched
    }

    /// Recomputes the pins of `mask` from all that acts on them.
    pub(crate) fn update(&mut self, now: u64, mask: u64) {
        let mut mask = mask & ((1 << PINS) - 1);
        while mask != 0 {
            let pin = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            self.update_pin(now, pin);
        }
    }

    /// Recomputes the pins that show the transmit line of `uart`.
    pub(crate) fn update_uart(&mut self, now: u64, uart: usize, high: bool) {
        self.uart_tx[uart] = high;
        let mut mask = 0;
        for pin in 0..PINS {
            if tx_of(pin, self.ctrl[pin] & 31) == Some(uart) {
                mask |= 1 << pin;
            }
        }
        self.update(now, mask);
    }

    /// The PWM slices' outputs, as [`Gpio::pwm`] has them.
    pub(crate) fn update_pwm(&mut self, now: u64, outputs: u32) {
        let changed = self.pwm ^ outputs;
        if changed == 0 {
            return;
        }
        self.pwm = outputs;
        let mut mask = 0;
        for pin in 0..PINS {
            if self.ctrl[pin] & 31 == FUNC_PWM && changed >> pwm_channel_of(pin) & 1 != 0 {
                mask |= 1 << pin;
            }
        }
        self.update(now, mask);
    }

    /// What of UART `uart` reaches the board's serial adapters: UART0 is wired to pins 0 and 1, UART1 to 4 and 5.
    pub(crate) fn uart_wires(&self, uart: usize) -> Wires {
        let (tx, rx) = (4 * uart, 4 * uart + 1);
        Wires {
            tx: self.ctrl[tx] & 31 == FUNC_UART && self.pads[tx] & (ISO | OUTPUT_DISABLE) == 0,
            rx: self.ctrl[rx] & 31 == FUNC_UART && self.pads[rx] & INPUT_ENABLE != 0,
        }
    }

    fn update_pin(&mut self, now: u64, pin: usize) {
        let (bit, pad) = (1u64 << pin, self.pads[pin]);
        if pad & ISO == 0 {
            let (out, oe) = self.function_output(pin);
            self.out = self.out & !bit | u64::from(out) << pin;
            self.oe = self.oe & !bit | u64::from(oe) << pin;
        }
        let driven = self.oe & bit != 0 && pad & OUTPUT_DISABLE == 0;
        let level = match self.external[pin] {
            _ if driven => self.out & bit != 0,
            Some(level) => level,
            // Both pulls together keep the last level.
            None if pad & (PULL_UP | PULL_DOWN) == PULL_UP | PULL_DOWN => self.level & bit != 0,
            None => pad & PULL_UP != 0,
        };
        if level != (self.level & bit != 0) {
            self.level ^= bit;
            if pin < BONDED {
                self.log(now, Line::Pin(pin as u8), level);
            }
        }
        let seen = overridden(self.ctrl[pin] >> 16, level && pad & INPUT_ENABLE != 0);
        if seen != (self.input & bit != 0) {
            self.input ^= bit;
            let nibble = if seen { 8 } else { 4 };
            self.edges[pin / 8] |= nibble << (pin % 8 * 4);
        }
    }

    /// Output and output enable after the overrides.
    fn function_output(&self, pin: usize) -> (bool, bool) {
        let ctrl = self.ctrl[pin];
        let (out, oe) = match (ctrl & 31, tx_of(pin, ctrl & 31)) {
            (FUNC_SIO, _) => (self.sio_out >> pin & 1 != 0, self.sio_oe >> pin & 1 != 0),
            (FUNC_PWM, _) => (self.pwm >> pwm_channel_of(pin) & 1 != 0, true),
            (_, Some(uart)) => (self.uart_tx[uart], true),
            _ => (false, false),
        };
        let oe = match ctrl >> 14 & 3 {
            0 => oe,
            1 => !oe,
            2 => false,
            _ => true,
        };
        (overridden(ctrl >> 12, out), oe)
    }

    fn raw(&self, word: usize) -> u32 {
        let mut levels = 0;
        for n in 0..8 {
            let high = self.input >> (word * 8 + n) & 1 != 0;
            levels |= if high { 2 } else { 1 } << (n * 4);
        }
        levels | self.edges[word]
    }

    fn status(&self, target: usize, word: usize) -> u32 {
        let interrupts = &self.interrupts[target];
        self.raw(word) & interrupts.enable[word] | interrupts.force[word]
    }

    /// The interrupt line of a processor.
    pub(crate) fn irq(&self, core: usize) -> bool {
        self.watched && (0..INTR_WORDS).any(|word| self.status(core, word) != 0)
    }

    /// One bit a pin: which pins interrupt `target`.
    fn summary(&self, target: usize) -> u64 {
        (0..PINS)
            .filter(|pin| self.status(target, pin / 8) >> (pin % 8 * 4) & 15 != 0)
            .fold(0, |pins, pin| pins | 1 << pin)
    }

    pub(crate) fn read_io(&self, offset: u32) -> Option<u32> {
        let word = |base: u32| ((offset - base) / 4) as usize;
        Some(match offset {
            0x000..0x180 if offset & 4 != 0 => self.ctrl[(offset / 8) as usize],
            0x000..0x180 => {
                let pin = offset / 8;
                let (nibble, pin) = (pin % 8 * 4, pin as usize);
                let to_processor = (0..2).any(|n| self.status(n, pin / 8) >> nibble & 15 != 0);
                let in_level = u32::from(self.level >> pin & 1 != 0 && self.pads[pin] & INPUT_ENABLE != 0);
                let (out, oe) = self.function_output(pin);
                u32::from(out) << 9 | u32::from(oe) << 13 | in_level << 17 | u32::from(to_processor) << 26
            }
            // Secure summaries; the Non-secure ones are empty, there being no Non-secure pin.
            0x200..0x230 => {
                let index = (offset - 0x200) / 4;
                let pins = if index & 2 == 0 { self.summary((index / 4) as usize) } else { 0 };
                (pins >> (index % 2 * 32)) as u32
            }
            0x230..0x248 => self.raw(word(0x230)),
            0x248..0x320 => {
                let index = word(0x248);
                let (target, kind, word) = (index / 18, index % 18 / 6, index % 6);
                match kind {
                    0 => self.interrupts[target].enable[word],
                    1 => self.interrupts[target].force[word],
                    _ => self.status(target, word),
                }
            }
            _ => return None,
        })
    }

    /// Writes IO_BANK0; `Ok(Some(…))` reports a function that is not modelled.
    pub(crate) fn write_io(&mut self, now: u64, offset: u32, value: u32) -> Option<Option<What>> {
        match offset {
            0x000..0x180 if offset & 4 != 0 => {
                let pin = (offset / 8) as usize;
                self.ctrl[pin] = value & 0x3003_f01f;
                self.update_pin(now, pin);
                if !matches!(value & 31, FUNC_UART | FUNC_PWM | FUNC_SIO | FUNC_UART_AUX | FUNC_NULL) {
                    return Some(Some(What::PinFunction));
                }
            }
            0x000..0x180 | 0x200..0x230 => {}
            0x230..0x248 => self.edges[((offset - 0x230) / 4) as usize] &= !(value & EDGE_BITS),
            0x248..0x320 => {
                let index = ((offset - 0x248) / 4) as usize;
                let (target, kind, word) = (index / 18, index % 18 / 6, index % 6);
                match kind {
                    0 => self.interrupts[target].enable[word] = value,
                    1 => self.interrupts[target].force[word] = value,
                    _ => {}
                }
                self.watched = self.interrupts.iter().any(|i| i.enable.iter().chain(&i.force).any(|&bits| bits != 0));
            }
            _ => return None,
        }
        Some(None)
    }

    pub(crate) fn read_pads(&self, offset: u32) -> Option<u32> {
        match offset {
            0x00 => Some(self.voltage),
            0x04..0xc4 => Some(self.pads[(offset / 4 - 1) as usize]),
            0xc4 | 0xc8 => Some(self.swd_pads[((offset - 0xc4) / 4) as usize]),
            _ => None,
        }
    }

    pub(crate) fn write_pads(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => self.voltage = value & 1,
            0x04..0xc4 => {
                let pin = (offset / 4 - 1) as usize;
                self.pads[pin] = value & 0x1ff;
                self.update_pin(now, pin);
            }
            0xc4 | 0xc8 => self.swd_pads[((offset - 0xc4) / 4) as usize] = value & 0x1ff,
            _ => return None,
        }
        Some(())
    }
}

/// OUTOVER and INOVER: as it is, inverted, low, high.
fn overridden(field: u32, level: bool) -> bool {
    match field & 3 {
        0 => level,
        1 => !level,
        2 => false,
        _ => true,
    }
}

/// The PWM output a pin shows, as a bit of [`Gpio::pwm`] (datasheet §1.2.3): slices 0 to 7 twice, then 8 to 11 twice.
fn pwm_channel_of(pin: usize) -> usize {
    if pin < 32 { pin % 16 } else { 16 + pin % 8 }
}

/// The UART whose transmit line a pin shows with function `func` (datasheet §1.2.3): pins come in fours of TX, RX, CTS,
/// RTS, and the second UART function puts TX and RX on the latter two.
fn tx_of(pin: usize, func: u32) -> Option<usize> {
    let place = match func {
        FUNC_UART => 0,
        FUNC_UART_AUX => 2,
        _ => return None,
    };
    (pin % 4 == place).then_some((pin + 4) / 8 % 2)
}
