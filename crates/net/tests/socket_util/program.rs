//! The programs of this crate as child processes.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::LIMIT;

pub(crate) const HELLO: &str = env!("CARGO_BIN_EXE_hello");
pub(crate) const ECHO: &str = env!("CARGO_BIN_EXE_echo");

/// A program that serves on a port of its own; killed when it is dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
    stdout: Option<BufReader<ChildStdout>>,
    errors: Receiver<String>,
}

/// What is left of a program that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it printed that was not read before.
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Serving {
    /// Starts `program` and waits until it listens.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Serving {
        let mut command = Command::new(program);
        command.args(["--addr", "127.0.0.1:0"]).args(arguments);
        Serving::spawn(command)
    }

    /// Starts a command that ends in serving.
    pub(crate) fn spawn(command: Command) -> Serving {
        let (reader, writer) = std::io::pipe().unwrap();
        Serving::complaining_to(command, writer, read_aside(reader))
    }

    /// Starts `program`, whose standard error is a pipe that nobody reads.
    pub(crate) fn start_unheard(program: &str, arguments: &[&str]) -> (Serving, PipeReader) {
        let mut command = Command::new(program);
        command.args(["--addr", "127.0.0.1:0"]).args(arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        let (unheard, errors) = channel();
        unheard.send(String::new()).unwrap();
        (Serving::complaining_to(command, writer, errors), reader)
    }

    fn complaining_to(mut command: Command, to: PipeWriter, errors: Receiver<String>) -> Serving {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(to);
        let mut child = command.spawn().unwrap();
        // It holds an end of the pipe, which else would never end.
        drop(command);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("Listening on ").map(str::parse);
        let Some(Ok(address)) = address else {
            let _ = child.kill();
            panic!("it printed {line:?}, and said {:?}", errors.recv_timeout(LIMIT));
        };
        Serving { child, address, stdout: Some(stdout), errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = wait(&mut self.child);
        let mut output = String::new();
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_string(&mut output).unwrap();
        }
        Ended { status, output, errors: self.errors.recv_timeout(LIMIT).unwrap() }
    }

    /// Asks it to stop, and checks that it ends well.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
        ended
    }

    /// A number of kilobytes from /proc/PID/status, such as `VmRSS`.
    pub(crate) fn kilobytes(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program that is expected to end by itself.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let output = read_aside(child.stdout.take().unwrap());
    let errors = read_aside(child.stderr.take().unwrap());
    let status = wait(&mut child);
    Ended {
        status,
        output: output.recv_timeout(LIMIT).unwrap(),
        errors: errors.recv_timeout(LIMIT).unwrap(),
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn read_aside(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (done, text) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}

/// Sends a question to `hello`, and reads the answer.
pub(crate) fn ask(client: &mut std::net::TcpStream) {
    client.write_all(b"?").unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"Hello world\n");
}
