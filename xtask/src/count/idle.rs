//! What a connection to hello that waits takes of memory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::lockstep::SERVE;
use super::{Table, per_unit};
use crate::report::{Failure, output};
use crate::server::Server;

/// Bytes of memory for a connection that made a request and waits.
const BYTES: f64 = 320.0;

/// Connections of the two runs that the memory of one is taken from.
const FEW: usize = 100;
const MANY: usize = 10_000;
/// Descriptors that a process needs besides.
const SPARE: usize = 100;

pub(super) fn run(table: &mut Table<'_>, hello: &Path) {
    const IDLE: &str = "hello, idle connection";
    match unable_to_hold() {
        Some(reason) => table.report.skip(IDLE, &reason),
        None => {
            table.row(IDLE, BYTES, "bytes", || idle(hello));
        }
    }
}

/// Why this machine cannot hold so many connections, if it cannot.
fn unable_to_hold() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("it reads /proc".to_owned());
    }
    let (limit, needed) = (hard_limit()?, MANY + SPARE);
    (limit < needed).then(|| format!("it needs {needed} open files, the hard limit is {limit}"))
}

/// How many open files the system lets a process have; none if it does not say, or sets no limit.
pub(crate) fn hard_limit() -> Option<usize> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -H -n"]);
    // "unlimited" is no number, and enough.
    output(shell).ok()?.trim().parse().ok()
}

/// What one more connection adds to the memory of the server.
fn idle(program: &Path) -> Result<f64, Failure> {
    let few = (FEW as u64, resident(program, FEW)?);
    let many = (MANY as u64, resident(program, MANY)?);
    Ok(per_unit(few, many))
}

/// The resident bytes of the server while `connections` that made one request each wait.
fn resident(program: &Path, connections: usize) -> Result<u64, Failure> {
    let mut command = unlimited(program);
    command.args(SERVE);
    let server = Server::start(command)?;
    let mut client = unlimited(&std::env::current_exe()?);
    client.args(["load", &server.address().to_string(), &connections.to_string(), "1", "--hold"]);
    let mut holder = Holder::start(client)?;
    holder.wait_until_answered()?;
    let path = PathBuf::from(format!("/proc/{}/smaps_rollup", server.id()));
    rss(&std::fs::read_to_string(path)?)
}

/// The program with as many open files as the system lets it have.
fn unlimited(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -n "$(ulimit -H -n)" && exec "$0" "$@""#]).arg(program);
    command
}

/// `Rss:     1234 kB`
pub(crate) fn rss(rollup: &str) -> Result<u64, Failure> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss line")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The process that holds the client's ends. Dropped, it is ended.
struct Holder(std::process::Child);

impl Holder {
    fn start(mut command: Command) -> Result<Holder, Failure> {
        Ok(Holder(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    /// Waits for the one line that it prints; it says nothing if it fails, and ends.
    fn wait_until_answered(&mut self) -> Result<(), Failure> {
        let stdout = self.0.stdout.take().ok_or("the output was taken before")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.ends_with("answered\n") { Ok(()) } else { Err("the client failed".into()) }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its input ends with this end of the pipe, and so does it; killing it is for the stuck one.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(rss("00400000-7fff [rollup]\nRss:    2048 kB\nPss: 1 kB\n").unwrap(), 2 << 20);
        assert!(rss("Pss: 1 kB\n").is_err());
    }
}
