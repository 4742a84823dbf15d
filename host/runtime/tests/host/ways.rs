//! The ways one guest can run: its core module compiled natively, the same on Pulley, and as a component.

use std::sync::OnceLock;

use sandhill_runtime::{GuestVitals, Host, Outcome, Policy, Program};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::board::{FakeBoard, vitals};

pub const STACK_BYTES: usize = 4096;
/// What a native stack needs for the same guest.
const NATIVE_STACK_BYTES: usize = 256 << 10;

const WIT: [(&str, &str); 3] = [
    ("platform.wit", include_str!("../../../../wit/platform.wit")),
    ("v0.1/platform.wit", include_str!("../../../../wit/v0.1/platform.wit")),
    (
        "test.wit",
        "package sandhill:test;
         world all {
            import embedded:platform/gpio@0.2.0;
            import embedded:platform/timing@0.2.0;
            import embedded:platform/button@0.2.0;
            import embedded:platform/uart@0.2.0;
            import embedded:platform/pwm@0.2.0;
            import embedded:platform/gpio@0.1.0;
            import embedded:platform/timing@0.1.0;
            export run: func();
         }",
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Native,
    Pulley,
    Component,
}

pub const WAYS: [Way; 3] = [Way::Native, Way::Pulley, Way::Component];

impl Way {
    pub fn host(self) -> &'static Host {
        static HOSTS: [OnceLock<Host>; 3] = [const { OnceLock::new() }; 3];
        HOSTS[self as usize].get_or_init(|| {
            match self {
                Self::Native => Host::new(NATIVE_STACK_BYTES),
                Self::Pulley => Host::for_target(STACK_BYTES, "pulley64"),
                Self::Component => Host::for_components(NATIVE_STACK_BYTES),
            }
            .expect("this machine has a compiler, and Pulley runs everywhere")
        })
    }

    /// Compiles a core module, or makes a component of it first.
    pub fn compile(self, module: &str) -> Result<Program, Outcome> {
        match self {
            Self::Component => self.host().compile_component(&component(module)),
            _ => self.host().compile(module.as_bytes()),
        }
    }

    pub fn run_with(
        self,
        module: &str,
        policy: Policy,
        board: FakeBoard,
        vitals: &'static GuestVitals,
    ) -> (Outcome, Option<FakeBoard>) {
        let started =
            self.compile(module).and_then(|program| self.host().start(&program, "tester", policy, board, vitals));
        match started {
            Ok(mut guest) => {
                let outcome = guest.run();
                (outcome, Some(guest.into_board()))
            }
            Err(outcome) => (outcome, None),
        }
    }

    pub fn run(self, module: &str, board: FakeBoard) -> (Outcome, FakeBoard) {
        let policy = board.policy;
        let (outcome, board) = self.run_with(module, policy, board, vitals());
        (outcome, board.expect("it starts"))
    }
}

/// The core module as a component of a world that has everything.
fn component(module: &str) -> Vec<u8> {
    static RESOLVE: OnceLock<Resolve> = OnceLock::new();
    let resolve = RESOLVE.get_or_init(|| {
        let mut resolve = Resolve::default();
        for (name, text) in WIT {
            resolve.push_str(name, text).expect("the contract parses");
        }
        resolve
    });
    let (world, _) = resolve.worlds.iter().find(|(_, world)| world.name == "all").expect("it is in the text");
    let mut module = wat::parse_str(module).expect("the test's own module");
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).expect("the world is plain");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .expect("the module fits the world")
}
