//! A server that runs in a process of its own for as long as it is needed.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::report::{Failure, output};

/// How long a server may take to say or do what it is waited for; valgrind makes it slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropped, its process is ended.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

impl Server {
    /// Starts the server and waits for its first line, which tells where it listens.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not say `Listening on ADDRESS` in time.
    pub(crate) fn start(mut command: Command) -> Result<Server, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let lines = lines(&mut child);
        let errors = errors(&mut child);
        // Owned from here on, so that a server that says nothing is ended too.
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut server = Server { child, address: nowhere, lines, errors };
        let first = server.line().unwrap_or_default();
        match first.strip_prefix("Listening on ").and_then(|text| text.trim().parse().ok()) {
            Some(address) => server.address = address,
            None => {
                let errors = server.errors();
                return Err(format!("{command:?}: first line {first:?}\n{errors}").into());
            }
        }
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Result<String, Failure> {
        self.lines.recv_timeout(PATIENCE).map_err(|error| format!("no line: {error}").into())
    }

    /// Ends it, and returns all that it wrote to its error output.
    pub(crate) fn errors(&mut self) -> String {
        self.end();
        self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    /// The process to send signals to. strace runs the server as its child and lets no signal
    /// through, so it is the child where there is one.
    pub(crate) fn worker(&self) -> String {
        let id = self.id().to_string();
        let children = format!("/proc/{id}/task/{id}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().next().unwrap_or(&id).to_owned()
    }

    fn end(&mut self) {
        // It may have ended by itself; then there is nothing to end and only the entry to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as a user would, waits until it has, and says how it did; Unix only.
    ///
    /// A tool around it, such as valgrind, then writes what it has counted.
    pub(crate) fn terminate(mut self) -> Result<ExitStatus, Failure> {
        let mut kill = Command::new("kill");
        kill.arg("-TERM").arg(self.worker());
        output(kill)?;
        // Its output ends when its process does, and the tool's around it.
        while match self.lines.recv_timeout(PATIENCE) {
            Ok(_) => true,
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => return Err("the server does not end".into()),
        } {}
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The lines of its output, read by a thread so that waiting for one can have a limit.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// All of its error output; read as it comes, so that it never fills up and stops the server.
fn errors(child: &mut Child) -> Option<JoinHandle<String>> {
    let mut stderr = child.stderr.take()?;
    Some(thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is still worth showing.
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_first_line_tells_the_address() {
        let mut server =
            Server::start(shell("echo Listening on 127.0.0.1:7; echo more; exec sleep 60"))
                .unwrap();
        assert_eq!(server.address().port(), 7);
        assert_eq!(server.line().unwrap(), "more");
        server.terminate().unwrap();
    }

    #[test]
    fn another_first_line_or_none_is_a_failure() {
        let failure = Server::start(shell("echo b >&2; echo a")).unwrap_err().to_string();
        assert!(failure.contains("first line \"a\"\nb\n"), "{failure}");
        assert!(Server::start(shell("exit 1")).is_err());
    }
}
