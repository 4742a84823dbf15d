//! How fast the model is: instructions a second of busy cores, each figure the best of five runs.
//!
//! `cargo run -p rp2350-model --example speed`, in a dev build, in which the model is optimised all the same. The program
//! computes a CRC over flash and is a mix of narrow and wide instructions, loads, stores, branches and calls.

use std::time::Instant as WallClock;

use rp2350_model::{AccessSize, DebugPort, Instant, Rp2350};

/// Instructions of core 0 in a run.
const INSTRUCTIONS: u64 = 20_000_000;
/// Nanoseconds of virtual time: clk_sys is the ring oscillator's 11 MHz.
const RUN_NS: u64 = INSTRUCTIONS * 1_000 / 11;
/// When the boot ROM is done, and a little later.
const STARTED_NS: u64 = 2_001_000;

const FLASH: u32 = 0x1000_0000;
/// Behind the vector table and the image definition.
const CODE: u32 = FLASH + 0x200;
const SRAM_END: u32 = 0x2008_0000;

const PROGRAM: [u16; 38] = [
    0xf240, 0x0000, 0xf2c1, 0x0000, // movw, movt r0, #0x10000000
    0xf24a, 0x0501, // movw r5, #0xa001
    0xf240, 0x0600, 0xf2c2, 0x0600, // movw, movt r6, #0x20000000
    0x2700, // movs r7, #0
    0x2200, // movs r2, #0
    0xf402, 0x7bfe, // 1: and r11, r2, #0x1fc
    0xf810, 0x300b, // ldrb r3, [r0, r11]
    0x405a, // eors r2, r3
    0x2408, // movs r4, #8
    0x0852, // 2: lsrs r2, r2, #1
    0xbf28, // it cs
    0x406a, // eorcs r2, r5
    0x3c01, // subs r4, #1
    0xd1fa, // bne 2b
    0xf846, 0x200b, // str r2, [r6, r11]
    0xf8d6, 0x8040, // ldr r8, [r6, #64]
    0xfb08, 0x2803, // mla r8, r8, r3, r2
    0xf3c8, 0x0785, // ubfx r7, r8, #2, #6
    0xf000, 0xf801, // bl 3f
    0xe7e9, // b 1b
    0xb510, // 3: push {r4, lr}
    0x9c01, // ldr r4, [sp, #4]
    0x19e1, // adds r1, r4, r7
    0xbd10, // pop {r4, pc}
];

fn write(port: &mut DebugPort<'_>, addr: u32, value: u32) {
    const CORE0: u32 = 0x2000;
    const CSW: u32 = 0xa300_0012;
    port.mem_write(CORE0, CSW, AccessSize::Word, addr, &value.to_le_bytes()).expect("powered up");
}

/// A board whose core 0 has just begun with [`PROGRAM`].
fn board() -> Rp2350 {
    let mut chip = Rp2350::new();
    let mut words = [0; 0x80];
    words[0] = SRAM_END;
    words[1] = CODE | 1;
    words[0x50..0x55].copy_from_slice(&[0xffff_ded3, 0x1021_0142, 0x0000_01ff, 0, 0xab12_3579_u32]);
    let program = PROGRAM.iter().flat_map(|half| half.to_le_bytes());
    let image = words.iter().flat_map(|word| word.to_le_bytes()).chain(program);
    for (byte, value) in chip.flash_mut().iter_mut().zip(image) {
        *byte = value;
    }
    chip.run_until(Instant::from_nanos(STARTED_NS));
    chip
}

/// One region over the program's flash, the default map for the rest: as a kernel has it.
fn enable_mpu(chip: &mut Rp2350) {
    let mut port = chip.debug();
    port.dp_write(4, 0x5000_0000).expect("CTRL/STAT");
    write(&mut port, 0xe000_ed98, 0);
    write(&mut port, 0xe000_ed9c, FLASH | 3 << 1);
    write(&mut port, 0xe000_eda0, FLASH | 0xf_ffe0 | 1);
    write(&mut port, 0xe000_ed94, 5);
}

/// Launches core 1 into the same program.
fn start_core_1(chip: &mut Rp2350) {
    for word in [0, 0, 1, FLASH, SRAM_END - 0x1000, CODE | 1] {
        let mut port = chip.debug();
        port.dp_write(4, 0x5000_0000).expect("CTRL/STAT");
        write(&mut port, 0xd000_0054, word);
        chip.run_until(Instant::from_nanos(chip.now().as_nanos() + 10_000));
    }
}

fn measure(name: &str, prepare: impl Fn(&mut Rp2350)) {
    let rate = (0..5).map(|_| {
        let mut chip = board();
        prepare(&mut chip);
        let (started, before) = (WallClock::now(), chip.instructions(0) + chip.instructions(1));
        chip.run_until(Instant::from_nanos(chip.now().as_nanos() + RUN_NS));
        let instructions = chip.instructions(0) + chip.instructions(1) - before;
        assert!(instructions >= INSTRUCTIONS, "a core stopped after {instructions} instructions");
        instructions as f64 / started.elapsed().as_secs_f64()
    });
    println!("{name}: {:.1} million instructions a second", rate.fold(0.0, f64::max) / 1e6);
}

fn main() {
    measure("one core", |_| {});
    measure("one core, MPU on", enable_mpu);
    measure("both cores", start_core_1);
}
