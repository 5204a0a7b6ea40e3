//! What hello costs: instructions and system calls a request, memory an idle connection.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::tools::{Counter, Kind};
use super::{Table, per_unit};
use crate::cargo::{cargo, executables};
use crate::load::{self, Dialogue};
use crate::report::{Failure, output};
use crate::server::Server;
use crate::tool::Tool;

const CONNECTIONS: usize = 50;

/// User-mode instructions a request, of the whole server process.
const INSTRUCTIONS: f64 = 330.0;
/// The same with HTTP: half of them parse the request.
const HTTP_INSTRUCTIONS: f64 = 1_650.0;
/// System calls a request: one recv, one send, a share of one wait.
const CALLS: f64 = 2.2;
/// Bytes of memory for a connection that made a request and waits.
const BYTES: f64 = 512.0;

/// Connections of the two runs that the memory of one is taken from.
const FEW: usize = 100;
const MANY: usize = 10_000;
/// Descriptors that a process needs besides.
const SPARE: usize = 100;

pub(super) fn run(table: &mut Table<'_>) {
    let mut build = cargo(&["build", "--release", "--package", "net", "--bin", "hello"]);
    build.arg("--quiet");
    let built = table.report.value("build hello", || {
        executables(build)?.pop().ok_or_else(|| "no executable was built".into())
    });
    let Some(program) = built else { return };
    pin();
    let (instructions, calls) = (Kind::Instructions, Kind::Calls);
    let counts = [
        ("hello, instructions", instructions, HELLO, INSTRUCTIONS),
        ("hello, system calls", calls, HELLO, CALLS),
        ("hello --http, instructions", instructions, HTTP, HTTP_INSTRUCTIONS),
        ("hello --http, system calls", calls, HTTP, CALLS),
    ];
    for (name, kind, spoken, limit) in counts {
        let tool = match kind {
            Kind::Instructions => Tool::Valgrind,
            Kind::Calls => Tool::Strace,
        };
        if table.report.has(tool, name) {
            table.row(name, limit, "per request", || requests(&program, kind, spoken));
        }
    }
    const IDLE: &str = "hello, idle connection";
    match unable_to_hold() {
        Some(reason) => table.report.skip(IDLE, &reason),
        None => {
            table.row(IDLE, BYTES, "bytes", || idle(&program));
        }
    }
}

/// Moves this thread, and all it starts from now on, to one processor.
///
/// The client then sends a whole round before the server runs, which finds it in one wait. With two
/// processors the size of the batches is chance, and the counts differ by a tenth from run to run.
fn pin() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(processor) = processor(&status) else {
        return;
    };
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", "-p", processor, &std::process::id().to_string()]);
    // Where it cannot be done, the counts are a little less exact and still counts.
    let _ = output(taskset);
}

/// The first processor in `Cpus_allowed_list: 0-1`.
fn processor(status: &str) -> Option<&str> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim().split(['-', ',']).next().filter(|processor| !processor.is_empty())
}

/// How hello is started, and what is said to it.
type Spoken = (&'static [&'static str], Dialogue);

const HELLO: Spoken = (&[], load::HELLO);
const HTTP: Spoken = (&["--http"], load::HTTP);

/// The cost of one request, from two runs with different numbers of rounds.
fn requests(program: &Path, kind: Kind, spoken: Spoken) -> Result<f64, Failure> {
    let (options, dialogue) = spoken;
    let run = |rounds: usize| -> Result<(u64, u64), Failure> {
        let counter = Counter::new(kind)?;
        let mut command = counter.command(program);
        command.args(SERVE).args(options);
        let server = Server::start(command)?;
        let clients = load::run(server.address(), dialogue, CONNECTIONS, rounds)?;
        // Closed first: a server that is told to end lets its connections finish.
        drop(clients);
        server.terminate()?;
        Ok(((rounds * CONNECTIONS) as u64, counter.count()?))
    };
    Ok(per_unit(run(100)?, run(1_100)?))
}

/// A free port, and no line for each connection.
const SERVE: [&str; 3] = ["--quiet", "--addr", "127.0.0.1:0"];

/// Why this machine cannot hold so many connections, if it cannot.
fn unable_to_hold() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("it reads /proc".to_owned());
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -H -n"]);
    let limit = output(shell).ok()?;
    let needed = MANY + SPARE;
    // "unlimited" is no number, and enough.
    let short = limit.trim().parse::<usize>().is_ok_and(|limit| limit < needed);
    short.then(|| format!("it needs {needed} open files, the hard limit is {}", limit.trim()))
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
fn rss(rollup: &str) -> Result<u64, Failure> {
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
    fn the_first_processor_is_found() {
        assert_eq!(processor("Name:\tx\nCpus_allowed_list:\t3-5,7\n"), Some("3"));
        assert_eq!(processor("Cpus_allowed_list:\t\n"), None);
        assert_eq!(processor(""), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(rss("00400000-7fff [rollup]\nRss:    2048 kB\nPss: 1 kB\n").unwrap(), 2 << 20);
        assert!(rss("Pss: 1 kB\n").is_err());
    }
}
