//! Text to commands, whatever the text.

use super::*;

fn parse_all(text: &[u8]) -> Vec<Result<Command, Malformed>> {
    let mut parser = Parser::default();
    text.iter().filter_map(|byte| parser.push(*byte)).collect()
}

fn one(text: &str) -> Result<Command, Malformed> {
    let mut all = parse_all(text.as_bytes());
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

#[test]
fn the_handshake_tolerates_noise() {
    assert_eq!(parse_all(b"+#!GA#"), [Ok(Command::Version)]);
    assert_eq!(parse_all(b" !GV#\r\n!HC#"), [Ok(Command::Voltage), Ok(Command::ProtocolVersion)]);
    assert_eq!(parse_all(b"!A6m00!HA#"), [Ok(Command::Accelerators)], "a new start drops what was begun");
}

#[test]
fn accesses_carry_their_fields() {
    let request = |ap, read, addr| Request { ap, read, addr };
    let access = |text| match one(text) {
        Ok(Command::Access(access)) => access,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(access("!Ad00ff0054#"), Access::DpRead { request: request(false, true, 4) });
    assert_eq!(
        access("!AR0000000850000000#"),
        Access::Transfer { request: request(false, false, 8), value: 0x5000_0000 }
    );
    assert_eq!(access("!A6a0000000000000020001dfc#"), Access::ApRead { ap: 0x2000, reg: 0xdfc });
    assert_eq!(
        access("!A6A0000000000000020001d0078563412#"),
        Access::ApWrite { ap: 0x2000, reg: 0xd00, value: 0x1234_5678 }
    );
    assert_eq!(
        access("!A6m000000000000002000230000420000000020000000000001f8#"),
        Access::MemRead { ap: 0x2000, csw: 0x2300_0042, addr: 0x2000_0000, len: 504 }
    );
    assert_eq!(
        access("!A6M0000000000000040002300004201000000002000000200000002beef#"),
        Access::MemWrite {
            ap: 0x4000,
            csw: 0x2300_0042,
            size: AccessSize::Half,
            addr: 0x2000_0002,
            data: vec![0xbe, 0xef],
        }
    );
}

#[test]
fn bits_come_lowest_first_and_at_most_32() {
    assert_eq!(one("!So20ffffffff#"), Ok(Command::SwdOut { bits: 32, value: u32::MAX, parity: false }));
    assert_eq!(one("!SI20#"), Ok(Command::SwdIn { bits: 32, parity: true }));
    assert_eq!(one("!Si21#"), Err(Malformed::Parameter));
    assert_eq!(one("!So20#"), Err(Malformed::Length));
    assert_eq!(one("!So20123456789#"), Err(Malformed::Length));
}

#[test]
fn bad_packets_say_why() {
    for (text, reply) in [
        ("!#", "&E2#"),
        ("!ZZ#", "&E1#"),
        ("!A6#", "&E2#"),
        ("!A6z000000000000002000#", "&E1#"),
        ("!RD#", "&N0#"),
        ("!JD41ff#", "&P0#"),
        ("!GZ2#", "&P0#"),
        ("!GAx#", "&E2#"),
        ("!Adxxff0000#", "&P0#"),
        ("!A6a000000000100002000#", "&P0#"),
        ("!A6m00000000000000200000000000000000002000000000000401#", "&P0#"),
        ("!A6M0000000000000020000000000002000000002000000000000002beef#", "&P0#"),
        ("!A6M0000000000000020000000000000000000002000000000000002be#", "&E2#"),
        ("!A6M0000000000000020000000000000000000002000000000000001beef#", "&E2#"),
        ("!A6M0000000000000020000000000004000000002000000000000000#", "&P0#"),
    ] {
        let Err(malformed) = one(text) else { panic!("{text} was accepted") };
        assert_eq!(Reply::Malformed(malformed).encode(), reply.as_bytes(), "{text}");
    }
}

#[test]
fn a_packet_that_is_too_long_is_one_error() {
    let mut text = vec![b'!'];
    text.extend(std::iter::repeat_n(b'0', 5 * PACKET_MAX));
    text.extend(b"#!GA#");
    assert_eq!(parse_all(&text), [Err(Malformed::Parameter), Ok(Command::Version)]);
}

#[test]
fn replies_are_as_clients_read_them() {
    assert_eq!(Reply::Value(0).encode(), b"&K0#");
    assert_eq!(Reply::Bytes(0x4c01_3477_u32.to_le_bytes().to_vec()).encode(), b"&K7734014c#");
    assert_eq!(Reply::Target(NoData::Fault).encode(), b"&E403#");
}

#[test]
fn survives_any_bytes() {
    let alphabet = b"!#!#AAAa6mMdDRSsoiIOGZHC0123456789abcdefx\xff\0";
    let mut random = crate::tests::random(0x5eed_0002);
    let mut parser = Parser::default();
    let mut commands = 0;
    for _ in 0..500_000 {
        let byte = alphabet[random() as usize % alphabet.len()];
        commands += usize::from(matches!(parser.push(byte), Some(Ok(_))));
        assert!(parser.packet.len() < PACKET_MAX);
    }
    assert!(commands > 0, "the alphabet makes some commands");
    while parser.push(b'#').is_some() {}
    assert_eq!(parse_all(b"!HC#"), [Ok(Command::ProtocolVersion)]);
}
