//! A program that a bench needs running: started, waited for, and stopped when the [`Service`] is dropped.
//!
//! It stops by closing the program's stdin, so it also stops when the runner is killed; a program that ignores this
//! is killed after a while.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    bench_file,
    error::Error,
    program::{self, Tail},
};

/// How long a program may take to end once its stdin is closed.
const STOP: Duration = Duration::from_secs(3);

/// A running program.
#[derive(Debug)]
pub struct Service {
    child: Child,
    program: String,
    stderr: Tail,
}

impl Service {
    /// Starts it and waits until it is ready.
    pub fn start(file: &bench_file::Service) -> Result<Self, Error> {
        let program = file.command.first().cloned().unwrap_or_default();
        let path = find(&program).ok_or_else(|| Error::ServiceNotFound { program: program.clone() })?;
        let mut child = Command::new(path)
            .args(&file.command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| Error::ServiceStart { program: program.clone(), source })?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = Tail::follow(child.stderr.take().expect("stderr is piped"));
        let mut service = Self { child, program, stderr };

        let (sender, lines) = mpsc::channel();
        // Reads on after the ready line, so that the program never blocks on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let deadline = Instant::now() + file.timeout();
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(&file.ready) => return Ok(service),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(Error::ServiceNotReady {
                        program: service.program.clone(),
                        ready: file.ready.clone(),
                        timeout: file.timeout(),
                        stderr: service.stderr.text(),
                    });
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(service.died()),
            }
        }
    }

    /// If it has ended: why.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(self.died()),
        }
    }

    fn died(&mut self) -> Error {
        self.stop();
        let status = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            _ => "its output is closed".into(),
        };
        Error::ServiceDied { program: self.program.clone(), status, stderr: self.stderr.finish() }
    }

    fn stop(&mut self) {
        drop(self.child.stdin.take());
        if let Ok(None) = program::wait(&mut self.child, STOP) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program beside this one, then in PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let beside = env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from));
    let path = env::var_os("PATH").unwrap_or_default();
    beside.into_iter().chain(env::split_paths(&path)).map(|folder| folder.join(program)).find(|path| path.is_file())
}
