//! Blocks whose registers hold what is written, and do nothing else in this model: they are here so that start-up code
//! finds what it configures. Reset values and writable bits are those of the chip's register description (`rp235x-pac`).

/// A run of equal registers.
pub(crate) struct Spec {
    from: u16,
    /// One past the last.
    to: u16,
    reset: u32,
    writable: u32,
}

const fn run(from: u16, to: u16, reset: u32, writable: u32) -> Spec {
    Spec { from, to, reset, writable }
}

const fn one(at: u16, reset: u32, writable: u32) -> Spec {
    run(at, at + 4, reset, writable)
}

/// What the upper half of a written word must hold.
type Password = Option<u16>;

#[derive(Clone)]
pub(crate) struct RegisterFile {
    spec: &'static [Spec],
    password: Password,
    values: Vec<u32>,
}

impl RegisterFile {
    fn new(spec: &'static [Spec], password: Password) -> Self {
        let end = spec.iter().map(|run| usize::from(run.to)).max().unwrap_or(0);
        let mut file = Self { spec, password, values: vec![0; end / 4] };
        file.reset();
        file
    }

    pub(crate) fn reset(&mut self) {
        for run in self.spec {
            self.values[usize::from(run.from) / 4..usize::from(run.to) / 4].fill(run.reset);
        }
    }

    fn find(&self, offset: u32) -> Option<&'static Spec> {
        self.spec.iter().find(|run| (u32::from(run.from)..u32::from(run.to)).contains(&offset))
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.find(offset).map(|_| self.values[(offset / 4) as usize])
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        let writable = self.find(offset)?.writable;
        let needs_password = writable >> 16 == 0;
        if needs_password && self.password.is_some_and(|password| value >> 16 != u32::from(password)) {
            return Some(());
        }
        let register = &mut self.values[(offset / 4) as usize];
        *register = *register & !writable | value & writable;
        Some(())
    }

    /// Sets a register from inside the chip, whatever is writable.
    pub(crate) fn set(&mut self, offset: u32, value: u32) {
        self.values[(offset / 4) as usize] = value;
    }

    pub(crate) fn get(&self, offset: u32) -> u32 {
        self.values[(offset / 4) as usize]
    }

    /// RP2350A2 in the QFN-60 package, silicon (datasheet §12.15.1).
    pub(crate) fn sysinfo() -> Self {
        const SPEC: &[Spec] = &[one(0x00, 0x2000_4927, 0), one(0x04, 1, 0), one(0x08, 2, 0), one(0x14, 0, 0)];
        Self::new(SPEC, None)
    }

    pub(crate) fn syscfg() -> Self {
        const SPEC: &[Spec] = &[
            one(0x00, 0, 0),
            one(0x04, 0, u32::MAX),
            one(0x08, 0, 0xff00_ffff),
            one(0x0c, 6, 0xe),
            one(0x10, 0, 0x1fff),
            one(0x14, 0, 0xff),
        ];
        Self::new(SPEC, None)
    }

    /// Access control is remembered, not enforced: the model has no Non-secure world.
    pub(crate) fn accessctrl() -> Self {
        const SPEC: &[Spec] = &[
            one(0x00, 4, 0xf),
            one(0x04, 0, 2),
            one(0x08, 0, 0),
            run(0x0c, 0x14, 0, u32::MAX),
            run(0x14, 0x44, 0xff, 0xff),
            run(0x44, 0x58, 0xfc, 0xff),
            run(0x58, 0x60, 0xb8, 0xff),
            one(0x60, 0xff, 0xff),
            run(0x64, 0xb0, 0xfc, 0xff),
            run(0xb0, 0xb8, 0xb8, 0xff),
            one(0xb8, 0xf8, 0xff),
            run(0xbc, 0xe8, 0xb8, 0xff),
            one(0xe8, 0xf8, 0xff),
        ];
        Self::new(SPEC, Some(0xacce))
    }

    /// Bus priorities are remembered; contention and its performance counters are not modelled.
    pub(crate) fn busctrl() -> Self {
        const SPEC: &[Spec] = &[one(0x00, 0, 0x1111), one(0x04, 1, 0), one(0x08, 0, 1)];
        Self::new(SPEC, None)
    }

    pub(crate) fn tbman() -> Self {
        const SPEC: &[Spec] = &[one(0x00, 1, 0)];
        Self::new(SPEC, None)
    }

    pub(crate) fn pads_qspi() -> Self {
        const SPEC: &[Spec] = &[one(0x00, 0, 1), run(0x04, 0x10, 0x156, 0x1ff), run(0x10, 0x1c, 0x15a, 0x1ff)];
        Self::new(SPEC, None)
    }

    /// Status and control of the flash's and USB's pins; their interrupts are not modelled.
    pub(crate) fn io_qspi() -> Self {
        const SPEC: &[Spec] = &[
            one(0x00, 0, 0),
            one(0x04, 0x1f, 0x3003_f01f),
            one(0x08, 0, 0),
            one(0x0c, 0x1f, 0x3003_f01f),
            one(0x10, 0, 0),
            one(0x14, 0x1f, 0x3003_f01f),
            one(0x18, 0, 0),
            one(0x1c, 0x1f, 0x3003_f01f),
            one(0x20, 0, 0),
            one(0x24, 0x1f, 0x3003_f01f),
            one(0x28, 0, 0),
            one(0x2c, 0x1f, 0x3003_f01f),
            one(0x30, 0, 0),
            one(0x34, 0x1f, 0x3003_f01f),
            one(0x38, 0, 0),
            one(0x3c, 0x1f, 0x3003_f01f),
        ];
        Self::new(SPEC, None)
    }

    /// Voltages, reset reasons and the words that survive a reset. The always-on timer, power states and wake-up are not
    /// modelled.
    pub(crate) fn powman() -> Self {
        const SPEC: &[Spec] = &[
            one(0x00, 0, 0),
            one(0x04, 0x8050, 0xb170),
            one(0x08, 0x10, 0),
            one(0x0c, 0xb0, 0x1f2),
            one(0x10, 0xb4, 0x1f6),
            one(0x14, 0xb0, 0x1f6),
            one(0x18, 0, 0x1000),
            one(0x1c, 0xb1, 0x1f1),
            one(0x20, 0xb0, 0x1f1),
            one(0x24, 0xb1, 0x1f1),
            one(0x28, 0x203, 0x3f3),
            one(POWMAN_CHIP_RESET as u16, 0, 0x11),
            one(0x30, 0, 0x1111),
            one(0x34, 0x0010_11f0, 0x11f3),
            one(0x38, 0xf, 0),
            one(0x3c, 0x40, 0x7ff),
            one(0x40, 0x2011, 0xffff),
            run(0x44, 0x4c, 0x3f, 0x713f),
            one(0x4c, 0, 0x13),
            one(0x50, 0x20, 0x3f),
            one(0x54, 0xc49c, 0xffff),
            one(0x58, 0x2ee0, 0xffff),
            one(0x5c, 0, 0xffff),
            one(0xa4, 0, 1),
            one(0xa8, 0, 3),
            one(0xac, 0, 0xf),
            run(0xb0, 0xe0, 0, u32::MAX),
        ];
        Self::new(SPEC, Some(0x5afe))
    }

    /// The write-once words and the boot locks of BOOTRAM; its memory is plain memory.
    pub(crate) fn bootram() -> Self {
        const SPEC: &[Spec] = &[run(0x800, 0x808, 0, u32::MAX), one(0x808, 0xff, 0xff), run(0x80c, 0x82c, 0, u32::MAX)];
        Self::new(SPEC, None)
    }
}

/// POWMAN CHIP_RESET and the reasons in it (datasheet §6.4).
pub(crate) const POWMAN_CHIP_RESET: u32 = 0x2c;
pub(crate) const RESCUE_FLAG: u32 = 1 << 4;
pub(crate) const HAD_POR: u32 = 1 << 16;
pub(crate) const HAD_RUN_LOW: u32 = 1 << 18;
pub(crate) const HAD_RESCUE: u32 = 1 << 21;
