//! What is done to a board while a capture runs: buttons are pressed, and bytes are sent over a serial port.
//!
//! A press is a change of the pin's pull, made through the debug port while the cores run: analyser and firmware see a
//! level that really changes, on any bench and without a wire. The board's own timer says when. Presses keep their
//! distances: if one comes late, since reading the timer takes its time and the machine may be busy, those after it are
//! as late.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    console::{Console, Port},
    error::Error,
    probe::Probe,
    test_file::{Echo, Press, Test},
};

/// The pad of GPIO 0; the others follow, a word each (RP2350 datasheet §9.11.3).
const PADS_BANK0_GPIO0: u64 = 0x4003_8004;
const PAD_PULL_DOWN: u32 = 1 << 2;
const PAD_PULL_UP: u32 = 1 << 3;
/// TIMER0's count of microseconds, lower half, read without side effects (RP2350 datasheet §12.8).
const TIMER0_TIMERAWL: u64 = 0x400B_0028;
/// Closer than this to its time, a press is waited for without sleeping.
const CLOSE: Duration = Duration::from_millis(50);
const POLL: Duration = Duration::from_millis(1);
/// A board whose timer has not come this much further meanwhile is dead.
const STUCK: Duration = Duration::from_secs(5);
/// How long a guest may take until it listens, where the console tells when it runs, and where it does not.
const RUNNING: Duration = Duration::from_secs(5);
const UNTOLD: Duration = Duration::from_millis(500);

/// What came back over a serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echoed {
    pub sent: Vec<u8>,
    pub received: Vec<u8>,
}

/// What came of the stimuli.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub echoes: Vec<Echoed>,
    /// How much later than asked for buttons were pressed.
    pub late: Duration,
    /// What could not be done.
    pub notes: Vec<String>,
}

/// Does all that `tests` ask for, in order of time.
pub fn run(
    tests: &[Test],
    probe: &mut dyn Probe,
    console: &mut dyn Console,
    mut port: Option<&mut dyn Port>,
) -> Result<Done, Error> {
    let mut done = Done::default();
    let presses: Vec<&Press> = tests.iter().filter_map(|test| test.press.as_ref()).collect();
    if !presses.is_empty() {
        match press(&presses, probe)? {
            Some(late) => done.late = late,
            None => done.notes.push("the board's timer stands still: no button was pressed any more".into()),
        }
    }
    for echo in tests.iter().filter_map(|test| test.echo.as_ref()) {
        if let Some(port) = &mut port {
            done.echoes.push(send_and_wait(echo, console, *port)?);
        }
    }
    Ok(done)
}

/// One change of a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    at: Duration,
    pin: u8,
    down: bool,
}

fn steps(presses: &[&Press]) -> Vec<Step> {
    let mut steps = Vec::new();
    for press in presses {
        let Some(pin) = press.gpio() else {
            continue;
        };
        for at in &press.at {
            steps.push(Step { at: *at, pin, down: true });
            steps.push(Step { at: *at + press.length, pin, down: false });
        }
    }
    steps.sort();
    steps.dedup();
    steps
}

/// Presses all buttons and says how late, at most; `None` if the board's timer did not get there.
fn press(presses: &[&Press], probe: &mut dyn Probe) -> Result<Option<Duration>, Error> {
    // Seen before a pad is written, which those after it have to follow, and once it is, which counts in the end.
    let (mut late, mut done_late) = (Duration::ZERO, Duration::ZERO);
    let mut before = Vec::new();
    for step in steps(presses) {
        let Some(now) = wait_until(step.at + late, probe)? else {
            return Ok(None);
        };
        late = now.saturating_sub(step.at);
        let pad = PADS_BANK0_GPIO0 + 4 * u64::from(step.pin);
        let value = word(probe, pad)?;
        let pulls = PAD_PULL_UP | PAD_PULL_DOWN;
        if step.down {
            before.push((step.pin, value & pulls));
            probe.write(pad, value & !pulls | PAD_PULL_DOWN)?;
        } else if let Some(place) = before.iter().position(|(pin, _)| *pin == step.pin) {
            let (_, restored) = before.swap_remove(place);
            probe.write(pad, value & !pulls | restored)?;
        }
        done_late = done_late.max(timer(probe)?.saturating_sub(step.at));
    }
    Ok(Some(done_late))
}

/// Waits until the board's timer says `at` or more, and returns what it says; `None` if it stands still.
fn wait_until(at: Duration, probe: &mut dyn Probe) -> Result<Option<Duration>, Error> {
    let mut last = Duration::ZERO;
    let mut moved = Instant::now();
    loop {
        let now = timer(probe)?;
        if now >= at {
            return Ok(Some(now));
        }
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() >= STUCK {
            return Ok(None);
        }
        if at - now > CLOSE {
            thread::sleep(POLL);
        }
    }
}

/// What the board's timer says.
fn timer(probe: &mut dyn Probe) -> Result<Duration, Error> {
    word(probe, TIMER0_TIMERAWL).map(|us| Duration::from_micros(us.into()))
}

fn word(probe: &mut dyn Probe, address: u64) -> Result<u32, Error> {
    let mut bytes = [0; 4];
    probe.read(address, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Sends once the guest runs, and waits for as many bytes to come back.
fn send_and_wait(echo: &Echo, console: &mut dyn Console, port: &mut dyn Port) -> Result<Echoed, Error> {
    let patience = if console.tells() { RUNNING } else { UNTOLD };
    let deadline = Instant::now() + patience;
    let runs = |line: &String| line.starts_with("slot 0: ") && line.contains(": running, ");
    while Instant::now() < deadline && !console.lines().iter().any(runs) {
        thread::sleep(POLL);
    }
    port.clear();
    port.send(echo.send.as_bytes())?;
    let deadline = Instant::now() + echo.within;
    while Instant::now() < deadline && port.received().len() < echo.send.len() {
        thread::sleep(POLL);
    }
    Ok(Echoed { sent: echo.send.clone().into_bytes(), received: port.received() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_order_and_only_once() {
        let press = |pin: &str, at: &[u64], length| Press {
            pin: pin.into(),
            at: at.iter().copied().map(Duration::from_millis).collect(),
            length: Duration::from_millis(length),
        };
        let (a, b) = (press("GPIO15", &[500, 900], 300), press("GPIO2", &[600], 1000));
        let steps: Vec<_> =
            steps(&[&a, &b, &a]).iter().map(|step| (step.at.as_millis(), step.pin, step.down)).collect();
        let expected =
            [(500, 15, true), (600, 2, true), (800, 15, false), (900, 15, true), (1200, 15, false), (1600, 2, false)];
        assert_eq!(steps, expected);
    }
}
