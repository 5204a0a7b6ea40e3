//! `hello` under strace, which counts and injects.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::program::{HELLO, Serving};

/// Whether programs can be traced here; says so where not.
pub(crate) fn can_trace() -> bool {
    let mut strace = Command::new("strace");
    let traced = strace.args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        println!("SKIPPED: strace is missing, or may not trace here");
    }
    can
}

/// `hello` under strace, which writes what it sees to a file.
pub(crate) struct Traced {
    strace: Option<Serving>,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Traced {
    pub(crate) fn start(test: &str, options: &[&str], arguments: &[&str]) -> Traced {
        let name = format!("{test}-{}.strace", std::process::id());
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut command = Command::new("strace");
        command.arg("-f").arg("-o").arg(&log).args(options).arg(HELLO);
        command.args(["--addr", "127.0.0.1:0"]).args(arguments);
        let strace = Serving::spawn(command);
        Traced { address: strace.address, strace: Some(strace), log }
    }

    pub(crate) fn read(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The process that is traced; it begins the log.
    pub(crate) fn traced(&self) -> Pid {
        let number = self.read().split_whitespace().next().unwrap().parse().unwrap();
        Pid::from_raw(number).unwrap()
    }

    /// Ends the traced program, and returns the log. The first line begins with its process id.
    pub(crate) fn stop(mut self) -> String {
        kill_process(self.traced(), Signal::TERM).unwrap();
        let ended = self.strace.take().unwrap().ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
        self.read()
    }
}

impl Drop for Traced {
    /// strace ends with what it traces, not the other way round.
    fn drop(&mut self) {
        if self.strace.is_some() {
            let _ = kill_process(self.traced(), Signal::KILL);
        }
        let _ = std::fs::remove_file(&self.log);
    }
}
