//! Fixtures made from the contract itself: a guest for every parameter of every function that a guest can import, which
//! calls it with a value where arithmetic breaks. What a new function owes is so tested from the day that it is written
//! down.
//!
//! Each drives GPIO 17 high, makes its call, and waits for ever. What has to happen: the call traps or is legal, and the
//! host lives.

use crate::world::{Signature, World};
use crate::{Error, Result};

/// Zero, the sign bit, and all bits of 32.
const VALUES: [u64; 3] = [0, 1 << 31, u32::MAX as u64];

/// The world that has every interface.
const WORLD: &str = "board";

/// Name and text of each.
///
/// # Errors
/// [`Error::NoLegalValue`]: a parameter that came to the contract after this was written.
pub fn generate() -> Result<Vec<(String, String)>> {
    let world = World::find(WORLD)?;
    let mut fixtures = Vec::new();
    for (interface, functions) in &world.imports {
        for (function, signature) in functions {
            for (place, (parameter, _)) in signature.parameters.iter().enumerate() {
                for value in VALUES {
                    let name = match signature.parameters.len() {
                        1 => format!("edge-{function}-{value}"),
                        _ => format!("edge-{function}-{parameter}-{value}"),
                    };
                    let mut arguments = Vec::new();
                    for (other, (parameter, _)) in signature.parameters.iter().enumerate() {
                        arguments.push(if other == place { value } else { legal(interface, parameter)? });
                    }
                    fixtures.push((name, module(interface, function, signature, &arguments)));
                }
            }
        }
    }
    Ok(fixtures)
}

/// A value that `guests/fixtures/policy.toml` allows, so that the call gets as far as the parameter in question.
fn legal(interface: &str, parameter: &str) -> Result<u64> {
    Ok(match parameter {
        "pin" if interface.contains("/button@") => 15,
        "pin" if interface.contains("/pwm@") => 16,
        "pin" => 17,
        "port" => 1,
        "edge" | "us" => 0,
        "ms" | "timeout-ms" => 1,
        "period-us" => 20_000,
        "pulse-us" => 1_500,
        "bytes-ptr" | "result-ptr" => 16,
        "bytes-len" => 4,
        _ => return Err(Error::NoLegalValue { parameter: format!("{parameter} in {interface}") }),
    })
}

fn module(interface: &str, function: &str, signature: &Signature, arguments: &[u64]) -> String {
    let version = interface.split_once('@').map(|(_, version)| version).unwrap_or_default();
    let arguments: String =
        signature.parameters.iter().zip(arguments).map(|((_, ty), value)| format!(" ({ty}.const {value})")).collect();
    let drops = "drop ".repeat(signature.results.len());
    let ty = signature.to_string().replacen("(func", "(func $call", 1);
    format!(
        r#"(module
  (import "embedded:platform/gpio@{version}" "set-high" (func $set-high (param i32)))
  (import "embedded:platform/timing@{version}" "delay-ms" (func $delay-ms (param i32)))
  (import "{interface}" "{function}" {ty})
  (memory (export "memory") 1024 1024 (pagesize 1))
  (func (export "run")
    (call $set-high (i32.const 17))
    (call $call{arguments}) {drops}
    (loop $forever
      (call $delay-ms (i32.const 100))
      (br $forever))))
"#
    )
}
