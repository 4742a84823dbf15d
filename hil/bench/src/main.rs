//! `virtual-bench`: the bench as a program. It prints where it listens, and works until it is told to end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rp2350_model::{Line, Rp2350};
use virtual_bench::{Bench, BenchError, Config, DEFAULT_CHANNELS, load_flash, parse_channels};

/// A Pico 2 with a debug probe, a logic analyser and two serial adapters, on four TCP ports.
///
/// When all ports listen, one line on stdout says where: `ready debug=… analyser=… serial=… uart1=… [pty=…]`.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where the debug probe listens (Black Magic Probe remote protocol); port 0 is any free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    debug: SocketAddr,
    /// Where the logic analyser listens (BeagleLogic).
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    analyser: SocketAddr,
    /// Where the serial port (UART0) listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    serial: SocketAddr,
    /// Where the second serial port (UART1: GPIO 4 TX, GPIO 5 RX) listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    uart1: SocketAddr,
    /// Make the serial port a pseudo-terminal, too.
    #[arg(long)]
    serial_pty: bool,
    /// What the analyser's channels P8_45, P8_46, P8_43, P8_44, P8_41, P8_42, P8_39, P8_40, … are clipped to:
    /// GPIO numbers, or `run`.
    #[arg(long, value_name = "LIST", default_value = DEFAULT_CHANNELS, value_parser = channels)]
    channels: Channels,
    /// Start with a programmed flash: an ELF, or an image of the flash from its start.
    #[arg(long, value_name = "FILE")]
    flash: Option<PathBuf>,
    /// End when stdin does.
    #[arg(long)]
    until_eof: bool,
}

#[derive(Clone, Debug)]
struct Channels(Vec<Line>);

fn channels(text: &str) -> Result<Channels, BenchError> {
    parse_channels(text).map(Channels)
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("virtual-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// A bench that has lost one of its threads would keep its clients waiting: a panic anywhere ends it.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(101);
    }));
}

fn run(arguments: Arguments) -> Result<(), BenchError> {
    end_on_panic();
    let mut chip = Rp2350::new();
    if let Some(file) = &arguments.flash {
        load_flash(file, chip.flash_mut())?;
    }
    let config = Config {
        debug: arguments.debug,
        analyser: arguments.analyser,
        serial: arguments.serial,
        uart1: arguments.uart1,
        serial_pty: arguments.serial_pty,
        channels: arguments.channels.0,
    };
    let bench = Bench::start(chip, &config)?;
    let Bench { debug, analyser, serial, uart1, .. } = &bench;
    let mut ready = format!("ready debug={debug} analyser={analyser} serial={serial} uart1={uart1}");
    if let Some(pty) = &bench.pty {
        ready += &format!(" pty={}", pty.display());
    }
    let mut stdout = io::stdout();
    // Whoever started the bench may not want to know.
    let _ = writeln!(stdout, "{ready}").and_then(|()| stdout.flush());
    if arguments.until_eof {
        // An error is an end, too.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}
