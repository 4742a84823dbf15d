//! A sound blinky in an image of about 100 KiB, to measure uploads with. Its size is data that no code ever reads: it
//! costs the device flash and nothing else.

use std::fmt::Write as _;

pub const NAME: &str = "large";
const DATA_BYTES: usize = 97 * 1024;

/// The data are random, so that no page is blank and nothing makes them smaller; the same at every build.
pub fn text() -> String {
    let mut state = 0x5eed_da7a_u64;
    let mut data = String::with_capacity(3 * DATA_BYTES);
    for _ in 0..DATA_BYTES {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        write!(data, "\\{:02x}", state >> 56).expect("a string takes everything");
    }
    format!(
        r#"(module
  (import "embedded:platform/gpio@0.2.0" "set-high" (func $set-high (param i32)))
  (import "embedded:platform/gpio@0.2.0" "set-low" (func $set-low (param i32)))
  (import "embedded:platform/timing@0.2.0" "delay-ms" (func $delay-ms (param i32)))
  (data "{data}")
  (func (export "run")
    (loop $forever
      (call $set-high (i32.const 25))
      (call $delay-ms (i32.const 500))
      (call $set-low (i32.const 25))
      (call $delay-ms (i32.const 500))
      (br $forever))))
"#
    )
}
