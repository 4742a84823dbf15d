//! Whatever runs, and whatever a debugger or the interrupt lines do meanwhile: the core neither panics nor breaks what
//! always holds.

use super::*;

const ROUNDS: u32 = 4000;
const STEPS: u32 = 500;

/// A random register of the private peripheral bus, mostly one that exists.
fn ppb_address(random: &mut fastrand::Rng) -> u32 {
    let base = [0xe000_1000, 0xe000_2000, 0xe000_e000, 0xe000_ed00, 0xe000_ed00, 0xe000_ef00, 0xe008_0000];
    let address = base[random.usize(..base.len())] + random.u32(..0x100);
    if random.u8(..8) == 0 { address + random.u32(..0x1000) } else { address & !3 }
}

fn disturb(m: &mut Machine, random: &mut fastrand::Rng) {
    match random.u8(..8) {
        0 => m.core.set_irq(random.u16(..70), random.bool()),
        1 => m.core.event(),
        2 => m.core.sleep(random.u64(..5000)),
        3 => m.core.clear_exclusive(DATA + random.u32(..64)),
        4 => {
            let control = random.u32(..16);
            m.write(DHCSR, 0xa05f_0000 | control);
        }
        5 => {
            // A debugger that writes registers lets the core go on.
            m.write(DHCSR, 0xa05f_0001);
            m.core.set_debug_reg(random.u8(..), random.u32(..));
        }
        6 => {
            let _ = m.core.ppb_read(ppb_address(random), [Size::Byte, Size::Half, Size::Word][random.usize(..3)]);
        }
        _ => {
            let size = [Size::Byte, Size::Half, Size::Word][random.usize(..3)];
            let _ = m.core.ppb_write(ppb_address(random), size, random.u32(..) >> random.u32(..32));
        }
    }
}

#[test]
fn random_programs_and_disturbances() {
    let mut random = fastrand::Rng::with_seed(33);
    let mut executed = 0;
    for round in 0..ROUNDS {
        let code: Vec<u16> = (0..512).map(|_| random.u16(..)).collect();
        let mut m = Machine::new(&code);
        m.write(CPACR, random.u32(..));
        for reg in 0..13 {
            let value = if random.bool() { DATA + random.u32(..0x400) } else { random.u32(..) };
            m.set(reg, value);
        }
        for _ in 0..STEPS {
            m.steps(1);
            if random.u8(..24) == 0 {
                disturb(&mut m, &mut random);
            }
            assert_eq!((m.r(13) & 3, m.r(15) & 1), (0, 0), "round {round}");
            assert!(m.ipsr() < 512);
            // Code that branched away comes back, and a core that is stuck is reset: a round sees more than one branch.
            if random.u8(..8) == 0 {
                match m.core.state() {
                    CoreState::Running if m.r(15).wrapping_sub(CODE) < 1024 => {}
                    CoreState::Running => {
                        m.set(15, CODE + 2 * random.u32(..500));
                    }
                    CoreState::Sleeping | CoreState::Halted | CoreState::LockedUp => {
                        m.write(DHCSR, 0xa05f_0000);
                        m.core.reset();
                        m.core.start(RAM, STACK, CODE + 2 * random.u32(..500));
                        m.write(CPACR, random.u32(..));
                        m.write(SHCSR, random.u32(..) & 0xf << 16);
                    }
                }
            }
        }
        executed += m.core.instructions();
    }
    assert!(executed > u64::from(ROUNDS * STEPS / 3), "only {executed} instructions: mostly halted or locked up");
}
