//! Programs that serve: what each client gets, and what the server says about it.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::Transcript;
use crate::client::Client;
use crate::load::ANSWER;
use crate::report::Failure;
use crate::server::Server;

/// More bytes than the socket buffers between a client and a server hold, there and back.
const LARGE: usize = 32 << 20;

/// The note's server: one answer to every request.
pub(super) fn hello(command: Command) -> Result<Transcript, Failure> {
    let steps: [Step; 3] = [Trial::one_after_the_other, Trial::several_at_once, Trial::reset];
    Trial::run(command, |_| ANSWER.to_vec(), &steps, "Done")
}

/// The same trial, and a client that has more in flight than buffers hold.
pub(super) fn echo(command: Command) -> Result<Transcript, Failure> {
    let steps: [Step; 4] =
        [Trial::one_after_the_other, Trial::several_at_once, Trial::reset, Trial::flood];
    Trial::run(command, <[u8]>::to_vec, &steps, "Closing")
}

type Step = fn(&mut Trial) -> Result<(), Failure>;

/// A server under trial.
struct Trial {
    server: Server,
    answer: fn(&[u8]) -> Vec<u8>,
    /// What the clients got.
    transcript: Transcript,
    /// How many clients have left in order.
    left: usize,
}

impl Trial {
    /// Runs the steps against the server; a failure comes with what the server said about it.
    fn run(
        mut command: Command,
        answer: fn(&[u8]) -> Vec<u8>,
        steps: &[Step],
        last: &str,
    ) -> Result<Transcript, Failure> {
        busy(&command)?;
        command.arg("127.0.0.1:0");
        let server = Server::start(command)?;
        let mut trial = Trial { server, answer, transcript: String::new(), left: 0 };
        let result = steps.iter().try_for_each(|step| step(&mut trial));
        match result.and_then(|()| trial.end(last)) {
            Ok(lines) => Ok(trial.transcript + &lines),
            Err(failure) => Err(format!("{failure}\n{}", trial.server.errors()).into()),
        }
    }

    fn connect(&self) -> Result<Client, Failure> {
        Client::connect(self.server.address())
    }

    /// Requests on one connection, then its end; a request that comes together with the end.
    fn one_after_the_other(&mut self) -> Result<(), Failure> {
        let mut client = self.connect()?;
        self.ask(&mut client, b"one")?;
        self.ask(&mut client, b"two")?;
        self.leave(client, b"")?;
        let mut client = self.connect()?;
        client.send(b"and bye")?;
        let answer = (self.answer)(b"and bye");
        self.leave(client, &answer)
    }

    /// Those that ask are answered while others say nothing or leave.
    fn several_at_once(&mut self) -> Result<(), Failure> {
        let silent = self.connect()?;
        let mut first = self.connect()?;
        let mut second = self.connect()?;
        first.send(b"first")?;
        self.ask(&mut second, b"second")?;
        let answer = first.receive((self.answer)(b"first").len())?;
        self.note("first", &answer);
        self.leave(first, b"")?;
        self.ask(&mut second, b"again")?;
        self.leave(silent, b"")?;
        self.ask(&mut second, b"at last")?;
        self.leave(second, b"")
    }

    /// One client breaks off; the next one is served.
    fn reset(&mut self) -> Result<(), Failure> {
        let mut rude = self.connect()?;
        rude.send(b"rude")?;
        rude.reset()?;
        let mut client = self.connect()?;
        self.ask(&mut client, b"still there?")?;
        self.leave(client, b"")
    }

    /// More is sent than fits before anything is read: the server must keep what it cannot send
    /// yet, serve others in the meantime, and lose nothing.
    fn flood(&mut self) -> Result<(), Failure> {
        let bytes: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
        let mut stuck = self.connect()?;
        let sent = stuck.fill(&bytes)?;
        if sent == LARGE {
            return Err("the server took more than it can send".into());
        }
        let mut client = self.connect()?;
        self.ask(&mut client, b"between")?;
        self.leave(client, b"")?;
        if stuck.exchange(&bytes[sent..], LARGE)? != bytes {
            return Err("the large message came back changed".into());
        }
        self.leave(stuck, b"")
    }

    fn ask(&mut self, client: &mut Client, request: &[u8]) -> Result<(), Failure> {
        let expected = (self.answer)(request);
        client.send(request)?;
        let answer = client.receive(expected.len())?;
        self.note(&String::from_utf8_lossy(request), &answer);
        check(&expected, &answer)
    }

    /// Ends the client's sending; what still comes is `expected`, and then the end.
    fn leave(&mut self, client: Client, expected: &[u8]) -> Result<(), Failure> {
        let rest = client.finish()?;
        self.note("end", &rest);
        self.left += 1;
        check(expected, &rest)
    }

    fn note(&mut self, request: &str, answer: &[u8]) {
        let answer = String::from_utf8_lossy(answer);
        self.transcript.push_str(&format!("{request:?} is answered {answer:?}\n"));
    }

    /// Waits until the server has said `last` for each client that left; returns all that it said.
    fn end(&mut self, last: &str) -> Result<String, Failure> {
        let mut lines = Vec::new();
        let mut seen = 0;
        while seen < self.left {
            let line = self.server.line()?;
            seen += usize::from(line == last);
            lines.push(without_port(&line).to_owned());
        }
        // Chunks come as the kernel cuts them, and clients in any order.
        lines.retain(|line| !line.starts_with("Echoing"));
        lines.sort();
        Ok(lines.join("\n"))
    }
}

/// On a port that is taken, the server says so in one line and fails.
fn busy(command: &Command) -> Result<(), Failure> {
    if !cfg!(unix) {
        // Elsewhere SO_REUSEADDR, which the twins set, lets two servers share a port.
        return Ok(());
    }
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    again.arg(taken.local_addr()?.to_string());
    let said = again.stdin(Stdio::null()).output()?;
    let errors = String::from_utf8_lossy(&said.stderr);
    if !said.status.success() && is_refusal(&errors) && said.stdout.is_empty() {
        return Ok(());
    }
    Err(format!("on a port that is taken: {}\n{errors}", said.status).into())
}

/// One line for people: what failed, and not how Rust or Python would show it to a programmer.
fn is_refusal(errors: &str) -> bool {
    let is_readable = errors.starts_with("Failed: ") && !errors.contains("Os {");
    is_readable && errors.lines().count() == 1
}

fn check(expected: &[u8], answer: &[u8]) -> Result<(), Failure> {
    if expected == answer {
        return Ok(());
    }
    let [expected, answer] = [expected, answer].map(String::from_utf8_lossy);
    Err(format!("expected {expected:?}, got {answer:?}").into())
}

/// A client's port differs from run to run.
fn without_port(line: &str) -> &str {
    line.trim_end_matches(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_a_failure() {
        assert!(check(b"a", b"a").is_ok());
        assert_eq!(check(b"a", b"").unwrap_err().to_string(), "expected \"a\", got \"\"");
    }

    #[test]
    fn a_refusal_is_one_line_for_people() {
        assert!(is_refusal("Failed: Address already in use (os error 98)\n"));
        for bad in [
            "",
            "Error: Os { code: 98, kind: AddrInUse }\n",
            "Failed: Os { code: 98, kind: AddrInUse }\n",
            "Traceback (most recent call last):\nOSError: in use\n",
            "Failed: in use\nFailed: again\n",
        ] {
            assert!(!is_refusal(bad), "{bad}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_server_that_does_not_fail_on_a_taken_port_is_a_failure() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            busy(&command)
        };
        assert!(shell("echo 'Failed: in use' >&2; exit 1").is_ok());
        assert!(shell("echo 'Failed: in use' >&2").is_err(), "the status");
        assert!(shell("echo in use >&2; exit 1").is_err(), "the line");
    }

    #[test]
    fn ports_are_left_out() {
        assert_eq!(without_port("Connection from 127.0.0.1:4711"), "Connection from 127.0.0.1:");
        assert_eq!(without_port("Done"), "Done");
    }
}
