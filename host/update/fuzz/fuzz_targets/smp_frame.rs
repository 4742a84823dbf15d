//! Bytes on a serial line: whatever they are, a frame that follows them is understood, and what a packet is made of comes
//! out of its own lines again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sandhill_update::smp::{Receiver, send};

fuzz_target!(|line: &[u8]| {
    let mut receiver = Receiver::<64>::new();
    for &byte in line {
        if receiver.push(byte) {
            assert!((1..=64).contains(&receiver.packet().len()));
        }
    }
    let packet = &line[..line.len().min(64)];
    if packet.is_empty() {
        return;
    }
    let mut packets = 0;
    send(packet, &mut |line| {
        for &byte in line {
            if receiver.push(byte) {
                assert_eq!(receiver.packet(), packet);
                packets += 1;
            }
        }
    });
    assert_eq!(packets, 1);
});
