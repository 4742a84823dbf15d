//! What the tests share: a tiny image builder and a debugger's first steps.

use rp2350_model::{DebugPort, Edge, Instant, Line, Rp2350, RunExit};

pub const FLASH: u32 = 0x1000_0000;
pub const SRAM: u32 = 0x2000_0000;
pub const CSW: u32 = 0xa300_0012;
pub const AP0: u32 = 0x2000;
pub const AP1: u32 = 0x4000;

/// clk_sys at 150 MHz, in time units.
pub const CYCLE: u64 = 80;
pub const UNITS_PER_MICROSECOND: u64 = 12_000;

/// Where the tests' programs begin: behind the vector table and the image definition.
pub const CODE: u32 = FLASH + 0x200;

/// A bootable image: vector table, image definition, then `code`, whose first instruction is the entry point.
/// `vectors` are (exception number, address) pairs.
pub fn image(code: &[u16], vectors: &[(usize, u32)]) -> Vec<u8> {
    let mut words = vec![0u32; 0x80];
    words[0] = SRAM + 0x8_0000;
    words[1] = CODE | 1;
    for &(number, address) in vectors {
        words[number] = address | 1;
    }
    words[0x50..0x55].copy_from_slice(&[0xffff_ded3, 0x1021_0142, 0x0000_01ff, 0, 0xab12_3579]);
    let code = code.iter().flat_map(|half| half.to_le_bytes());
    words.iter().flat_map(|word| word.to_le_bytes()).chain(code).collect()
}

pub fn board(image: &[u8]) -> Rp2350 {
    let mut chip = Rp2350::new();
    chip.flash_mut()[..image.len()].copy_from_slice(image);
    chip
}

pub fn run_for_micros(chip: &mut Rp2350, micros: u64) -> RunExit {
    let end = chip.now().units() + micros * UNITS_PER_MICROSECOND;
    chip.run_until(Instant::from_units(end))
}

pub fn edges(chip: &mut Rp2350) -> Vec<Edge> {
    let mut edges = Vec::new();
    chip.take_edges(&mut edges);
    edges
}

pub fn edges_of(chip: &mut Rp2350, pin: u8) -> Vec<(u64, bool)> {
    edges(chip)
        .into_iter()
        .filter(|edge| edge.line == Line::Pin(pin))
        .map(|edge| (edge.at.units(), edge.high))
        .collect()
}

/// Powers the debug domain and enables halting debug of core 0.
pub fn attach(chip: &mut Rp2350) {
    let mut port = chip.debug();
    port.line_reset();
    assert_eq!(port.dp_read(0), Ok(0x4c01_3477));
    port.dp_write(0, 0x1e).expect("ABORT");
    port.dp_write(4, 0x5000_0000).expect("CTRL/STAT");
    assert_eq!(port.dp_read(4).map(|ctrl| ctrl >> 28), Ok(0xf));
    write(&mut port, 0xe000_edf0, 0xa05f_0001);
}

pub fn read(port: &mut DebugPort<'_>, addr: u32) -> u32 {
    let mut bytes = [0; 4];
    port.mem_read(AP0, CSW, addr, &mut bytes).expect("readable");
    u32::from_le_bytes(bytes)
}

pub fn write(port: &mut DebugPort<'_>, addr: u32, value: u32) {
    let bytes = value.to_le_bytes();
    port.mem_write(AP0, CSW, rp2350_model::AccessSize::Word, addr, &bytes).expect("writable");
}

pub fn halt(port: &mut DebugPort<'_>) {
    write(port, 0xe000_edf0, 0xa05f_0003);
}

pub fn resume(port: &mut DebugPort<'_>) {
    write(port, 0xe000_edf0, 0xa05f_0001);
}

/// Writes a core register of the halted core 0 through DCRDR and DCRSR.
pub fn set_reg(port: &mut DebugPort<'_>, reg: u32, value: u32) {
    write(port, 0xe000_edf8, value);
    write(port, 0xe000_edf4, 1 << 16 | reg);
}

pub fn get_reg(port: &mut DebugPort<'_>, reg: u32) -> u32 {
    write(port, 0xe000_edf4, reg);
    read(port, 0xe000_edf8)
}

/// Assembled by hand: words of a literal pool as halfwords.
pub fn literal(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}

pub const RESETS_CLR: u32 = 0x4002_3000;
pub const RESET_DONE: u32 = 0x4002_0008;
pub const TIMER0: u32 = 0x400b_0000;
pub const UART0: u32 = 0x4007_0000;
pub const SIO: u32 = 0xd000_0000;

pub fn ctrl_of(pin: u32) -> u32 {
    0x4002_8004 + pin * 8
}

pub fn pad_of(pin: u32) -> u32 {
    0x4003_8004 + pin * 4
}

/// What start-up code does, done by the debugger: crystal, PLL_SYS at 150 MHz, clk_sys and clk_peri from it, a tick of 1 µs,
/// and pins, UART0 and TIMER0 out of reset.
pub fn start_clocks(chip: &mut Rp2350) {
    attach(chip);
    let mut port = chip.debug();
    write(&mut port, 0x4004_800c, 47);
    write(&mut port, 0x4004_8000, 0x00fa_baa0);
    assert_eq!(read(&mut port, 0x4004_8004) >> 31, 0, "a crystal needs time");
    write(&mut port, RESETS_CLR, 1 << 6 | 1 << 9 | 1 << 14 | 1 << 23 | 1 << 26);
    run_for_micros(chip, 1_100);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, 0x4004_8004) >> 31, 1, "STABLE");
    assert_eq!(read(&mut port, RESET_DONE) & (1 << 14 | 1 << 26), 1 << 14 | 1 << 26);
    write(&mut port, 0x4005_0008, 125);
    write(&mut port, 0x4005_3004, 0x21);
    run_for_micros(chip, 200);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, 0x4005_0000) >> 31, 1, "LOCK");
    write(&mut port, 0x4005_000c, 5 << 16 | 2 << 12);
    write(&mut port, 0x4005_3004, 0x8);
    write(&mut port, 0x4001_0030, 2);
    assert_eq!(read(&mut port, 0x4001_0038), 1 << 2, "clk_ref runs from the crystal");
    write(&mut port, 0x4001_203c, 1);
    assert_eq!(read(&mut port, 0x4001_0044), 1 << 1, "clk_sys runs from its auxiliary source");
    write(&mut port, 0x4001_0048, 1 << 11);
    write(&mut port, 0x4010_801c, 12);
    write(&mut port, 0x4010_8018, 1);
    write(&mut port, 0x4010_8034, 12);
    write(&mut port, 0x4010_8030, 1);
}

/// A board that has booted `image` and whose clocks run.
pub fn ready(image: &[u8]) -> Rp2350 {
    let mut chip = board(image);
    run_for_micros(&mut chip, 3_000);
    start_clocks(&mut chip);
    edges(&mut chip);
    chip
}

/// UART0 at 115200 baud from 150 MHz, 8N1, with FIFOs, on its pins.
pub fn start_uart0(port: &mut DebugPort<'_>) {
    for pin in [0, 1] {
        write(port, pad_of(pin), 0x56);
        write(port, ctrl_of(pin), 2);
    }
    write(port, UART0 + 0x24, 81);
    write(port, UART0 + 0x28, 24);
    write(port, UART0 + 0x2c, 0x70);
    write(port, UART0 + 0x30, 0x301);
}

/// Lets SIO drive `pin`.
pub fn output(port: &mut DebugPort<'_>, pin: u32) {
    write(port, pad_of(pin), 0x56);
    write(port, ctrl_of(pin), 5);
    write(port, SIO + 0x38, 1 << pin);
}

/// `wfi; b` back.
pub const IDLE: [u16; 2] = [0xbf30, 0xe7fd];

/// Main idles; the handler of interrupt `irq` toggles GPIO 25 and acknowledges by writing `value` at `register`.
pub fn toggler(irq: usize, register: u32, value: u32) -> Vec<u8> {
    let mut code = IDLE.to_vec();
    code.extend([
        0x4803, // ldr r0, [pc, #12] → the first literal
        0x4904, // ldr r1, [pc, #16]
        0x6001, // str r1, [r0]
        0x4804, // ldr r0, [pc, #16]
        0x4904, // ldr r1, [pc, #16]
        0x6001, // str r1, [r0]
        0x4770, // bx lr
        0xbf00, // nop: aligns the literals
    ]);
    for word in [SIO + 0x28, 1 << 25, register, value] {
        code.extend(literal(word));
    }
    image(&code, &[(16 + irq, CODE + 4)])
}

/// Where calls return to: a breakpoint in RAM.
pub const RETURN: u32 = SRAM;

/// Halts core 0, so that it can call functions.
pub fn halt_for_calls(chip: &mut Rp2350) {
    let mut port = chip.debug();
    halt(&mut port);
    write(&mut port, RETURN, 0xbe00_be00);
}

/// Lets core 0 begin a call of `function` with `arguments`, without time.
pub fn begin_call(chip: &mut Rp2350, function: u32, arguments: &[u32]) {
    let mut port = chip.debug();
    for (n, &argument) in arguments.iter().enumerate() {
        set_reg(&mut port, n as u32, argument);
    }
    set_reg(&mut port, 13, SRAM + 0x8000);
    set_reg(&mut port, 14, RETURN | 1);
    set_reg(&mut port, 15, function & !1);
    resume(&mut port);
}

/// Calls `function`; returns r0 and the microseconds it took.
pub fn call(chip: &mut Rp2350, function: u32, arguments: &[u32]) -> (u32, u64) {
    begin_call(chip, function, arguments);
    let start = chip.now().units();
    assert_eq!(run_for_micros(chip, 100_000_000), RunExit::Core0Halted);
    let micros = (chip.now().units() - start) / UNITS_PER_MICROSECOND;
    let mut port = chip.debug();
    assert_eq!(get_reg(&mut port, 15), RETURN, "stopped at the breakpoint");
    (get_reg(&mut port, 0), micros)
}

/// Looks a function of the boot ROM up.
pub fn find(chip: &mut Rp2350, code: &[u8; 2]) -> u32 {
    let lookup = read(&mut chip.debug(), 0x14) >> 16;
    call(chip, lookup, &[u32::from(u16::from_le_bytes(*code)), 4]).0
}
