//! Policy records: what is read, what is refused, what two of them allow together.

use sandhill_runtime::{Contradiction, Policy, PolicyError};

/// A record's 17 words, in its order.
type Words = [u32; 17];

const SOUND: Words = [
    1 << 25 | 1 << 15,
    1 << 15 | 1 << 16,
    1 << 14 | 1 << 13,
    1 << 14,
    1 << 13,
    1 << 16,
    1 << 1,
    115_200,
    1000,
    4096,
    64,
    10_000,
    60_000,
    10_000,
    500,
    2000,
    3,
];

fn record(words: Words) -> Vec<u8> {
    let mut record = vec![1, 0, 72, 0];
    record.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    record
}

fn words(policy: &Policy) -> Words {
    [
        policy.outputs,
        policy.safe_high,
        policy.inputs,
        policy.pull_up,
        policy.pull_down,
        policy.pwm,
        policy.uarts,
        policy.uart_baud,
        policy.pwm_min_period_us,
        policy.memory_bytes,
        policy.table_elements,
        policy.run_us,
        policy.wait_ms,
        policy.calls_per_second,
        policy.cpu_permille,
        policy.progress_ms,
        policy.failures,
    ]
}

/// The sound record with some words replaced.
fn with(changes: &[(usize, u32)]) -> Result<Policy, PolicyError> {
    let mut words = SOUND;
    for (index, word) in changes {
        words[*index] = *word;
    }
    Policy::parse(&record(words))
}

#[test]
fn a_sound_record_is_read_in_its_order() {
    let policy = Policy::parse(&record(SOUND)).expect("it is sound");
    assert_eq!(words(&policy), SOUND);
}

#[test]
fn a_longer_record_is_read_as_far_as_it_is_known() {
    let mut longer = record(SOUND);
    longer[2] = 76;
    assert_eq!(Policy::parse(&longer), Err(PolicyError::Truncated { bytes: 72 }));
    longer.extend([0xff; 8]);
    assert_eq!(words(&Policy::parse(&longer).expect("it is sound")), SOUND);
}

#[test]
fn every_shorter_record_is_refused() {
    let sound = record(SOUND);
    for bytes in 0..sound.len() {
        assert_eq!(Policy::parse(&sound[..bytes]), Err(PolicyError::Truncated { bytes }));
    }
    let mut shorter = record(SOUND);
    shorter[2] = 71;
    assert_eq!(Policy::parse(&shorter), Err(PolicyError::Truncated { bytes: 72 }));
}

#[test]
fn another_version_is_refused() {
    let mut other = record(SOUND);
    other[0] = 2;
    let error = Policy::parse(&other).expect_err("it is another version");
    assert_eq!(error.to_string(), "policy of version 2, this host reads 1: use this host's tools");
}

#[test]
fn contradictions_are_refused_with_the_pin() {
    use Contradiction::{Baud, CpuShare, NoRunTime, PullNoInput, SafeNoOutput, TwoPulls, TwoUses};
    for (changes, contradiction) in [
        (&[(0, 1 << 14)][..], TwoUses { pin: 14 }),
        (&[(0, 1 << 16), (1, 0)], TwoUses { pin: 16 }),
        (&[(5, 1 << 13), (1, 0)], TwoUses { pin: 13 }),
        (&[(1, 1 << 14)], SafeNoOutput { pin: 14 }),
        (&[(3, 1 << 25)], PullNoInput { pin: 25 }),
        (&[(4, 1 << 31)], PullNoInput { pin: 31 }),
        (&[(4, 1 << 14)], TwoPulls { pin: 14 }),
        (&[(6, 0)], Baud),
        (&[(7, 0)], Baud),
        (&[(14, 0)], CpuShare { permille: 0 }),
        (&[(14, 1001)], CpuShare { permille: 1001 }),
        (&[(11, 0)], NoRunTime),
    ] {
        assert_eq!(with(changes), Err(PolicyError::Inconsistent(contradiction)), "{changes:?}");
    }
    let error = with(&[(0, 1 << 14)]).expect_err("two uses");
    assert_eq!(error.to_string(), "policy refused: GPIO 14 is in two of outputs, inputs and pwm");
}

#[test]
fn two_policies_allow_what_both_allow() {
    let guest = Policy::parse(&record(SOUND)).expect("it is sound");
    assert_eq!(guest.narrow(&guest), guest);
    let host = Policy {
        outputs: 1 << 25 | 1 << 2,
        safe_high: 0,
        inputs: 1 << 13,
        pull_up: 0,
        pull_down: 0,
        pwm: 1 << 16,
        uarts: 0,
        uart_baud: 0,
        pwm_min_period_us: 5000,
        memory_bytes: 65_536,
        table_elements: 1000,
        run_us: 5000,
        wait_ms: 3_600_000,
        calls_per_second: 50_000,
        cpu_permille: 900,
        progress_ms: 0,
        failures: 2,
    };
    let both = guest.narrow(&host);
    assert_eq!(
        words(&both),
        [1 << 25, 1 << 16, 1 << 13, 0, 1 << 13, 1 << 16, 0, 0, 5000, 4096, 64, 5000, 60_000, 10_000, 500, 2000, 2]
    );
    assert_eq!(guest.narrow(&Policy { progress_ms: 1000, ..host }).progress_ms, 1000);
    assert_eq!(Policy { progress_ms: 0, ..guest }.narrow(&Policy { progress_ms: 1000, ..host }).progress_ms, 1000);
    // Without a policy only time is left.
    let none = guest.narrow(&Policy::NONE);
    assert_eq!((none.outputs, none.inputs, none.pwm, none.uarts, none.safe_high), (0, 0, 0, 0, 0));
}

/// Marsaglia's xorshift, seeded: every run tries the same records.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Whatever the bytes are, reading them ends; and what is taken, and what two taken ones allow, is consistent.
#[test]
fn random_records_are_refused_or_sound() {
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let mut last = Policy::parse(&record(SOUND)).expect("it is sound");
    let mut taken = 0;
    for _ in 0..200_000 {
        let mut bytes = record(SOUND);
        match random.next() % 4 {
            // Noise of any length.
            0 => {
                bytes = (0..random.next() % 100).map(|_| random.next() as u8).collect();
                if random.next().is_multiple_of(2) && bytes.len() >= 4 {
                    bytes[..4].copy_from_slice(&[1, 0, 72, 0]);
                }
            }
            // A sound record with some bits flipped, cut, or with single pins moved.
            1 => {
                for _ in 0..=random.next() % 4 {
                    let at = random.next() as usize % bytes.len();
                    bytes[at] ^= 1 << (random.next() % 8);
                }
            }
            2 => bytes.truncate(random.next() as usize % 80),
            _ => {
                let at = 4 + random.next() as usize % 6 * 4;
                bytes[at..at + 4].copy_from_slice(&(1_u32 << (random.next() % 32)).to_le_bytes());
            }
        }
        if let Ok(policy) = Policy::parse(&bytes) {
            taken += 1;
            assert_eq!(Policy::parse(&record(words(&policy))), Ok(policy));
            let both = policy.narrow(&last);
            assert_eq!(Policy::parse(&record(words(&both))), Ok(both));
            assert_eq!(both.narrow(&last).outputs, both.outputs);
            last = policy;
        }
    }
    assert!(taken > 1000, "{taken}");
}
