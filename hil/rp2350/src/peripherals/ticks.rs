//! TICKS: divides clk_ref down to the ticks that timers and watchdog count (RP2350 datasheet §8.5).

use crate::rate::{Clock, Period, Rate};

/// Which tick generator, in the order of the registers.
pub(crate) const PROC0: usize = 0;
pub(crate) const PROC1: usize = 1;
pub(crate) const TIMER0: usize = 2;
pub(crate) const TIMER1: usize = 3;
pub(crate) const WATCHDOG: usize = 4;
const COUNT: usize = 6;

#[derive(Clone, Copy)]
struct Generator {
    enable: bool,
    cycles: u32,
    /// clk_ref since it is enabled.
    reference: Option<Clock>,
}

#[derive(Clone)]
pub(crate) struct Ticks {
    generators: [Generator; COUNT],
    clk_ref: Option<Rate>,
}

impl Ticks {
    pub(crate) fn new() -> Self {
        let generator = Generator { enable: false, cycles: 0, reference: None };
        Self { generators: [generator; COUNT], clk_ref: None }
    }

    /// clk_ref changed.
    pub(crate) fn set_clk_ref(&mut self, now: u64, clk_ref: Option<Rate>) {
        self.clk_ref = clk_ref;
        for generator in &mut self.generators {
            generator.follow(now, clk_ref);
        }
    }

    /// The ticks, if there are any. CYCLES 0 ticks never.
    pub(crate) fn clock(&self, which: usize) -> Option<Clock> {
        let generator = self.generators.get(which).filter(|generator| generator.cycles != 0)?;
        let period = self.clk_ref?.period(u64::from(generator.cycles));
        Some(Clock { origin: generator.reference?.origin, period })
    }

    /// The period of a tick, if it ticks.
    pub(crate) fn period(&self, which: usize) -> Option<Period> {
        self.clock(which).map(|clock| clock.period)
    }

    pub(crate) fn read(&self, now: u64, offset: u32) -> Option<u32> {
        let generator = self.generators.get((offset / 12) as usize)?;
        Some(match offset % 12 {
            0 => u32::from(generator.enable) * 3,
            4 => generator.cycles,
            _ if generator.cycles == 0 => 0,
            _ => generator.reference.map_or(0, |clock| clock.count(now) % u64::from(generator.cycles)) as u32,
        })
    }

    pub(crate) fn write(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        let clk_ref = self.clk_ref;
        let generator = self.generators.get_mut((offset / 12) as usize)?;
        match offset % 12 {
            0 => generator.enable = value & 1 != 0,
            4 => generator.cycles = value & 0x1ff,
            _ => {}
        }
        generator.follow(now, clk_ref);
        Some(())
    }
}

impl Generator {
    fn follow(&mut self, now: u64, clk_ref: Option<Rate>) {
        let period = clk_ref.filter(|_| self.enable).map(|rate| rate.period(1));
        self.reference = Clock::follow(self.reference, now, period);
    }
}
