//! The four ports as protocols: who is there, who may come in, and what rubbish does to them.

use std::io::{Read, Write};

use crate::common::{Analyser, Debugger, bench, connect, random, runs};

#[test]
fn the_probe_says_who_it_is() {
    let bench = bench();
    let mut debugger = Debugger::connect(&bench);
    assert_eq!(debugger.ask("+#!GA#"), format!("&KVirtual bench {}#", env!("CARGO_PKG_VERSION")));
    assert_eq!(debugger.ask("!HC#"), "&K4#");
    assert_eq!(debugger.ask("!HA#"), "&K9#");
    assert_eq!(debugger.ask("!GV#"), "&K3.3V#");
    assert_eq!(debugger.ask("!GF000f4240#"), "&K0#");
    assert_eq!(debugger.ask("!Gf#"), "&K40420f00#");
    assert_eq!(debugger.ask("!Gz#"), "&K0#");
}

#[test]
fn dpidr_comes_through_the_wire() {
    let bench = bench();
    let mut debugger = Debugger::connect(&bench);
    assert_eq!(debugger.ask("!Ad00ff0000#"), "&E703#", "nobody is connected to the wire yet");
    debugger.line_reset();
    assert_eq!(debugger.read_dpidr(), 0x4c01_3477);
    assert_eq!(debugger.ask("!Ad00ff0000#"), "&K7734014c#");
}

#[test]
fn nothing_answers_on_jtag() {
    let bench = bench();
    let mut debugger = Debugger::connect(&bench);
    assert_eq!(debugger.ask("+#!JS#"), "&K0#");
    assert_eq!(debugger.ask("!JT051f#"), "&K0#");
    assert_eq!(debugger.ask("!JD200#"), "&Kffffffff#");
    assert_eq!(debugger.ask("!JN01#"), "&K1#");
}

#[test]
fn the_wire_outlives_its_client() {
    let bench = bench();
    let mut debugger = Debugger::connect(&bench);
    debugger.line_reset();
    debugger.read_dpidr();
    drop(debugger);
    assert_eq!(Debugger::connect(&bench).ask("!Ad00ff0000#"), "&K7734014c#");
}

#[test]
fn a_second_client_is_turned_away_and_the_first_works_on() {
    let bench = bench();
    let mut first = Debugger::connect(&bench);
    assert_eq!(first.ask("!HC#"), "&K4#");
    let mut second = connect(bench.debug);
    let mut nothing = Vec::new();
    assert_eq!(second.read_to_end(&mut nothing).expect("an orderly end"), 0);
    assert_eq!(first.ask("!HC#"), "&K4#");
    drop(first);
    assert_eq!(Debugger::connect(&bench).ask("!HC#"), "&K4#");
}

#[test]
fn the_analyser_keeps_its_settings() {
    let bench = bench();
    let mut analyser = Analyser::connect(&bench);
    assert_eq!(analyser.ask("version"), "BeagleLogic 1.0");
    assert_eq!(analyser.ask("samplerate 4000000"), "ok");
    assert_eq!(analyser.ask("samplerate"), "4000000");
    assert_eq!(analyser.ask("memalloc"), "2147483647");
    assert_eq!(analyser.ask("sampleunit\r"), "1");
    for bad in ["samplerate 9", "samplerate 100000001", "samplerate x", "sampleunit 2", "launch", "get 1"] {
        assert!(analyser.ask(bad).starts_with("error: "), "{bad}");
    }
    assert_eq!(analyser.ask("samplerate"), "4000000");
}

#[test]
fn captures_show_reset_and_follow_each_other() {
    let bench = bench();
    let mut debugger = Debugger::connect(&bench);
    let mut analyser = Analyser::connect(&bench);
    for _ in 0..3 {
        assert_eq!(debugger.ask("!GZ1#"), "&K0#");
        assert_eq!(debugger.ask("!Gz#"), "&K1#");
        analyser.start(1_000_000);
        let low = analyser.samples(5_000);
        assert_eq!(runs(&low, 1), [(false, 5_000)], "RUN is held low, and time goes on");
        assert_eq!(debugger.ask("!GZ0#"), "&K0#");
        // However much was on its way already, RUN rises on a whole millisecond.
        let mut samples = low.len();
        loop {
            let millisecond = runs(&analyser.samples(1_000), 1);
            samples += 1_000;
            match millisecond[..] {
                [(false, _)] => assert!(samples < 100_000_000, "RUN never rose"),
                [(true, 1_000)] => break,
                _ => panic!("RUN rose within a millisecond: {millisecond:?}"),
            }
        }
        analyser.0.write_all(b"close\n").expect("the bench reads");
        drop(analyser);
        analyser = Analyser::connect(&bench);
    }
}

#[test]
fn a_client_that_leaves_mid_capture_is_forgotten() {
    let bench = bench();
    for _ in 0..3 {
        let mut analyser = Analyser::connect(&bench);
        analyser.start(100_000_000);
        analyser.samples(10);
    }
    assert_eq!(Analyser::connect(&bench).ask("version"), "BeagleLogic 1.0");
}

#[test]
fn rubbish_on_the_debug_port_is_answered_and_survived() {
    let bench = bench();
    let mut debugger = Debugger::connect(&bench);
    let alphabet = b"AAAAa6mMdDRSsoiIOGZHCJ0123456789abcdef\xff\0\n&";
    let mut random = random(0x5eed_0010);
    for _ in 0..2_000 {
        let length = random() % 80;
        let mut packet = vec![b'!'];
        packet.extend((0..length).map(|_| alphabet[random() as usize % alphabet.len()]));
        packet.push(b'#');
        let reply = debugger.ask(&packet);
        assert!(reply.starts_with('&'), "{packet:?}: {reply}");
    }
    let mut long = vec![b'!'];
    long.resize(1 << 20, b'0');
    long.push(b'#');
    assert_eq!(debugger.ask(&long), "&P0#");
    assert_eq!(debugger.ask("!HC#"), "&K4#");
    // Half a packet, then gone.
    debugger.0.write_all(b"!A6m00").expect("the bench reads");
    drop(debugger);
    assert_eq!(Debugger::connect(&bench).ask("#!HC#"), "&K4#");
}

#[test]
fn rubbish_on_the_analyser_port_is_answered_and_survived() {
    let bench = bench();
    let mut analyser = Analyser::connect(&bench);
    let mut random = random(0x5eed_0011);
    for _ in 0..500 {
        let line: String = (0..1 + random() % 40).map(|_| char::from(b'a' + (random() % 26) as u8)).collect();
        assert!(analyser.ask(&line).starts_with("error: "), "{line}");
    }
    assert!(analyser.ask(&"version ".repeat(100_000)).starts_with("error: "));
    analyser.0.write_all(&[0xff, 0xfe, b'\n']).expect("the bench reads");
    assert!(analyser.ask("").starts_with("error: "), "the reply to the line before; an empty line has none");
    assert_eq!(analyser.ask("version"), "BeagleLogic 1.0");
}

#[test]
fn rubbish_on_the_serial_port_is_survived() {
    let bench = bench();
    let mut serial = connect(bench.serial);
    let mut random = random(0x5eed_0012);
    let rubbish: Vec<u8> = (0..2_000).map(|_| random() as u8).collect();
    serial.write_all(&rubbish).expect("the bench reads");
    drop(serial);
    assert_eq!(Debugger::connect(&bench).ask("!HC#"), "&K4#");
}
