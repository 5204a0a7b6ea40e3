//! A client in a process of its own, which is never waited for without a limit.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::report::Failure;

/// How long a client may take to say the next thing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running client. Dropped, its process is ended.
pub(super) struct Process {
    shown: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// What it says on both streams is read in the order in which it comes.
    pub(super) fn start(mut command: Command) -> Result<Process, Failure> {
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        let shown = format!("{command:?}");
        let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        let input = child.stdin.take();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        // `command` holds the writing ends of the pipe, and ends here.
        Ok(Process { shown, child, input, lines })
    }

    /// Gives it input.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.input.as_mut().ok_or("its input has ended")?.write_all(text.as_bytes())?)
    }

    /// The next line that it says; none at the end.
    pub(super) fn line(&mut self) -> Result<Option<String>, Failure> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("{}: says nothing", self.shown).into()),
        }
    }

    /// Ends its input, and waits until it has ended well; returns what it still says.
    pub(super) fn finish(mut self) -> Result<String, Failure> {
        self.input = None;
        let mut said = String::new();
        while let Some(line) = self.line()? {
            said.push_str(&line);
            said.push('\n');
        }
        let status = self.child.wait()?;
        if status.success() {
            return Ok(said);
        }
        Err(format!("{}: {status}\n{said}", self.shown).into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end and only the entry to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client says that is given this input.
pub(super) fn said(command: Command, input: &str) -> Result<String, Failure> {
    let mut process = Process::start(command)?;
    process.say(input)?;
    process.finish()
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
    fn both_streams_come_in_order_and_a_failure_shows_them() {
        assert_eq!(said(shell("cat; echo b >&2; echo c"), "a\n").unwrap(), "a\nb\nc\n");
        let failure = said(shell("echo a; exit 3"), "").unwrap_err().to_string();
        assert!(failure.contains("3\na\n"), "{failure}");
    }

    #[test]
    fn a_client_may_be_spoken_with() {
        let mut process = Process::start(shell("read a; echo $a; read b; echo $b")).unwrap();
        for word in ["one", "two"] {
            process.say(&format!("{word}\n")).unwrap();
            assert_eq!(process.line().unwrap().as_deref(), Some(word));
        }
        assert_eq!(process.line().unwrap(), None);
        assert_eq!(process.finish().unwrap(), "");
    }
}
