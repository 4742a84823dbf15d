//! A guest's life: loaded, started, run, ended.

use alloc::format;
use core::ptr::NonNull;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result, Store};

use crate::engine::{self, WASMTIME_VERSION};
use crate::platform::{Blinky, InStore, Platform};
use crate::{Board, GuestState, Limits, Outcome, Vitals};

/// One engine with its limits.
pub struct Host {
    engine: Engine,
    limits: Limits,
}

impl Host {
    /// A host for images compiled for this machine.
    ///
    /// # Errors
    /// The limits contradict each other.
    pub fn new(limits: Limits) -> Result<Self> {
        Ok(Self { engine: engine::engine(limits)?, limits })
    }

    /// A host that compiles for, and runs, `target`: a Wasmtime triple such as `pulley64`.
    ///
    /// # Errors
    /// `target` is unknown or cannot run here.
    #[cfg(feature = "compile")]
    pub fn for_target(limits: Limits, target: &str) -> Result<Self> {
        Ok(Self { engine: engine::engine_for(limits, target)?, limits })
    }

    /// Takes a precompiled component where it lies, without a copy.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: not an image for this host, with what differs.
    ///
    /// # Safety
    /// `image` stays readable and unchanged for as long as the component lives, and was made by Wasmtime:
    /// it is code for Wasmtime, and only superficially checked.
    pub unsafe fn load_in_place(&self, image: NonNull<[u8]>, vitals: &Vitals) -> Result<Component, Outcome> {
        // SAFETY: this function's own contract is the same.
        unsafe { Component::deserialize_raw(&self.engine, image) }.map_err(|error| {
            // Wasmtime names what it found in the image, not what it is itself.
            let host = format!("not an image for this host (wasmtime {WASMTIME_VERSION})");
            let outcome = Outcome::refused(&error.context(host));
            note(vitals, &outcome);
            outcome
        })
    }

    /// Compiles a component, or its text, for this machine.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: not a component.
    #[cfg(feature = "compile")]
    pub fn compile(&self, component: &[u8]) -> Result<Component, Outcome> {
        Component::new(&self.engine, component).map_err(|error| Outcome::refused(&error))
    }

    /// Compiles a component ahead of time, as `guests/pack` does.
    ///
    /// # Errors
    /// Not a component.
    #[cfg(feature = "compile")]
    pub fn precompile(&self, component: &[u8]) -> Result<alloc::vec::Vec<u8>> {
        self.engine.precompile_component(component)
    }

    /// Connects a component to `board`: links its imports, gives it its memories and its stack.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: it imports what this host does not have, lacks `run`, or needs more than its limits.
    /// [`Outcome::Trapped`], [`Outcome::Stopped`]: its start function did not return.
    pub fn start<B: Board>(
        &self,
        component: &Component,
        board: B,
        vitals: &'static Vitals,
    ) -> Result<Guest<B>, Outcome> {
        vitals.pulley_stack.set_size(self.limits.stack_bytes);
        let platform = Platform::new(board, vitals, self.limits.memory_bytes);
        let mut store = Store::new(&self.engine, platform);
        store.limiter(|platform| platform.limiter());
        let mut linker = Linker::new(&self.engine);
        Blinky::add_to_linker::<_, InStore<B>>(&mut linker, |platform| platform)
            .and_then(|()| Blinky::instantiate(&mut store, component, &linker))
            .map(|world| {
                store.data_mut().started();
                Guest { store, world, vitals }
            })
            .map_err(|error| {
                let outcome = Outcome::not_started(&error);
                note(vitals, &outcome);
                outcome
            })
    }
}

/// A guest that is ready to run.
pub struct Guest<B: Board> {
    store: Store<Platform<B>>,
    world: Blinky,
    vitals: &'static Vitals,
}

impl<B: Board> Guest<B> {
    /// Runs the guest to its end, which may never come. Gives the board back, its pins as the guest left them.
    pub fn run(mut self) -> (Outcome, B) {
        self.vitals.boot_to_run_cycles.set(self.store.data_mut().board.cycles());
        self.vitals.guest_state.set(GuestState::Running as u32);
        let outcome = match self.world.call_run(&mut self.store) {
            Ok(()) => Outcome::Returned,
            Err(error) => Outcome::ended(&error),
        };
        note(self.vitals, &outcome);
        (outcome, self.store.into_data().board)
    }
}

/// Keeps an end in the vitals.
fn note(vitals: &Vitals, outcome: &Outcome) {
    let state = match outcome {
        Outcome::Refused(_) => GuestState::Refused,
        Outcome::Trapped(_) => GuestState::Trapped,
        Outcome::Returned => GuestState::Returned,
        Outcome::Stopped => GuestState::None,
    };
    if state == GuestState::Trapped {
        vitals.traps.count();
    }
    vitals.guest_state.set(state as u32);
}
