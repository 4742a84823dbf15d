//! A guest's life: loaded, started, run, ended.

use alloc::format;
use alloc::string::String;
use core::ptr::NonNull;

use wasmtime::{Engine, Extern, Instance, Module, Result, Store, TypedFunc};

use crate::core_imports;
use crate::engine::{self, WASMTIME_VERSION};
use crate::limits::{self, Limiter};
use crate::platform::{Platform, State};
use crate::program::{Code, Program};
use crate::{Board, GuestState, GuestVitals, Outcome, Policy, Violation};

/// One engine, for all guests.
pub struct Host {
    engine: Engine,
    stack_bytes: usize,
    /// Run time is counted by fuel.
    #[cfg(feature = "component")]
    metered: bool,
}

impl Host {
    /// A host for images compiled for this machine. Every guest gets a call stack of `stack_bytes`; on Pulley it is
    /// allocated when the guest starts.
    ///
    /// # Errors
    /// Wasmtime cannot run here.
    pub fn new(stack_bytes: usize) -> Result<Self> {
        Ok(Self::of(engine::engine(stack_bytes)?, stack_bytes))
    }

    /// A host that compiles for, and runs, `target`: a Wasmtime triple such as `pulley64`.
    ///
    /// # Errors
    /// `target` is unknown or cannot run here.
    #[cfg(feature = "compile")]
    pub fn for_target(stack_bytes: usize, target: &str) -> Result<Self> {
        Ok(Self::of(engine::engine_for(stack_bytes, target)?, stack_bytes))
    }

    fn of(engine: Engine, stack_bytes: usize) -> Self {
        Self {
            engine,
            stack_bytes,
            #[cfg(feature = "component")]
            metered: false,
        }
    }

    /// A host for components, compiled for this machine. It bounds a guest's run time itself, by counting operations.
    ///
    /// # Errors
    /// Wasmtime has no compiler for this machine.
    #[cfg(feature = "component")]
    pub fn for_components(stack_bytes: usize) -> Result<Self> {
        Ok(Self { metered: true, ..Self::of(engine::metered_engine(stack_bytes)?, stack_bytes) })
    }

    /// Compiles a component, or its text, for this machine.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: not a component.
    #[cfg(feature = "component")]
    pub fn compile_component(&self, component: &[u8]) -> Result<Program, Outcome> {
        wasmtime::component::Component::new(&self.engine, component)
            .map(|component| Program { code: Code::Component(component) })
            .map_err(|error| Outcome::refused(&error))
    }

    /// Takes a precompiled module where it lies, without a copy.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: not an image for this host, with what differs.
    ///
    /// # Safety
    /// `image` stays readable and unchanged for as long as the program and its guests live, and was made by Wasmtime:
    /// it is code for Wasmtime, and only superficially checked.
    pub unsafe fn load_in_place(&self, image: NonNull<[u8]>) -> Result<Program, Outcome> {
        // SAFETY: this function's own contract is the same.
        let module = unsafe { Module::deserialize_raw(&self.engine, image) };
        module.map(Program::new).map_err(|error| {
            // Wasmtime names what it found in the image, not what it is itself.
            let host = format!("not an image for this host (wasmtime {WASMTIME_VERSION})");
            Outcome::refused(&error.context(host))
        })
    }

    /// Compiles a core module, or its text, for this machine.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: not a core module.
    #[cfg(feature = "compile")]
    pub fn compile(&self, module: &[u8]) -> Result<Program, Outcome> {
        Module::new(&self.engine, module).map(Program::new).map_err(|error| Outcome::refused(&error))
    }

    /// Compiles a core module ahead of time, as `guests/pack` does.
    ///
    /// # Errors
    /// Not a core module.
    #[cfg(feature = "compile")]
    pub fn precompile(&self, module: &[u8]) -> Result<alloc::vec::Vec<u8>> {
        self.engine.precompile_module(module)
    }

    /// Connects a program to `board`: makes its imports, gives it its memory and its stack. `policy` is the image's,
    /// narrowed by the host's own. The guest is called `name` in every report.
    ///
    /// A module that `guests/pack` made has no start function; the one of another would run here.
    ///
    /// # Errors
    /// [`Outcome::Refused`]: it imports what this host does not have, lacks `run`, or needs more than its policy gives.
    /// [`Outcome::Trapped`], [`Outcome::Stopped`]: its start function did not return.
    pub fn start<B: Board>(
        &self,
        program: &Program,
        name: &str,
        policy: Policy,
        board: B,
        vitals: &'static GuestVitals,
    ) -> Result<Guest<B>, Outcome> {
        vitals.pulley_stack.set_size(self.stack_bytes);
        vitals.memory.set(0);
        let counts = match program.code {
            Code::Module(_) => limits::MODULE,
            #[cfg(feature = "component")]
            Code::Component(_) => limits::COMPONENT,
        };
        let state = State {
            platform: Platform::new(board, policy, vitals),
            limiter: Limiter::new(&policy, counts, vitals),
            memory: None,
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        match self.connect(&mut store, program) {
            Ok(run) => Ok(Guest { store, run, name: name.into(), vitals }),
            Err(error) => {
                let outcome = Outcome::not_started(&error, name, &policy);
                if matches!(outcome, Outcome::Trapped(_)) {
                    store.data_mut().platform.fail();
                }
                vitals.ended(&outcome);
                Err(outcome)
            }
        }
    }

    /// Instantiates the program: its `run`.
    fn connect<B: Board>(&self, store: &mut Store<State<B>>, program: &Program) -> Result<Run> {
        let run = match &program.code {
            Code::Module(module) => {
                let functions = core_imports::functions(store, module)?;
                let instance = Instance::new(&mut *store, module, &functions)?;
                store.data_mut().memory = instance.get_export(&mut *store, "memory").and_then(Extern::into_memory);
                Run::Module(instance.get_typed_func(&mut *store, "run")?)
            }
            #[cfg(feature = "component")]
            Code::Component(component) => {
                if self.metered {
                    store.set_fuel(crate::component::fuel(store.data().platform.policy().run_us))?;
                }
                let linker = crate::component::linker(&self.engine)?;
                let instance = linker.instantiate(&mut *store, component)?;
                let run = instance.get_func(&mut *store, "run");
                let run = run.ok_or_else(|| wasmtime::format_err!("failed to find function export `run`"))?;
                Run::Component(run.typed(&*store)?)
            }
        };
        store.data_mut().limiter.started();
        Ok(run)
    }
}

/// A guest's `run`.
enum Run {
    Module(TypedFunc<(), ()>),
    #[cfg(feature = "component")]
    Component(wasmtime::component::TypedFunc<(), ()>),
}

/// A guest that is ready to run.
///
/// Its [`run`](Guest::run) may be abandoned: its thread is never resumed, and its stack is used for something else. The guest
/// may then be dropped, from any thread, and nothing else. Why that frees everything and breaks nothing (Wasmtime 48.0.8):
///
/// - It happens either while the interpreter fetches a bytecode (the host has made the code unreadable) or while a [`Board`]
///   waits. The frames below own no memory and hold no lock then: `TypedFunc::call` and `invoke_wasm_and_catch_traps`
///   (`runtime/func.rs`) keep saved register values and plain pointers, `catch_traps` a `CallThreadState` without a reason to
///   unwind, `InterpreterRef::call` the interpreter's registers, and a host call a `Caller`, which borrows. What they would
///   have restored lies in the store and dies with it.
/// - Dropping the store (`StoreOpaque::drop`) frees its instances, the interpreter's stack and the `Platform`, and asks nothing of
///   an activation. That the interpreter was not left (`last_wasm_entry_fp` and the like) is looked at by calls and
///   backtraces only, and there is none any more.
/// - The one pointer into the dead stack that outlives the store is the thread's own: slot 0 of `wasmtime_tls_get`, the list of
///   activations, which the next trap's backtrace would walk. A host gives a thread that it sets up anew empty slots.
///
/// `tests/abandoned` counts what is allocated.
pub struct Guest<B: Board> {
    store: Store<State<B>>,
    run: Run,
    name: String,
    vitals: &'static GuestVitals,
}

impl<B: Board> Guest<B> {
    /// Runs the guest to its end, which may never come.
    pub fn run(&mut self) -> Outcome {
        self.vitals.set_state(GuestState::Running);
        let result = match &self.run {
            Run::Module(run) => run.call(&mut self.store, ()),
            #[cfg(feature = "component")]
            Run::Component(run) => run.call(&mut self.store, ()),
        };
        let outcome = match result {
            Ok(()) => Outcome::Returned,
            Err(error) => {
                let platform = &mut self.store.data_mut().platform;
                // A violation has reported itself, or is no failure.
                if !error.is::<Violation>() {
                    platform.fail();
                }
                Outcome::ended(&error, &self.name, platform.policy())
            }
        };
        self.vitals.ended(&outcome);
        outcome
    }

    /// Gives the board back, its pins as the guest left them.
    pub fn into_board(self) -> B {
        self.store.into_data().platform.board
    }
}
