//! Programs that print and end.

use std::process::Command;

use super::Transcript;
use crate::report::{Failure, output};

/// A generator from its creation to its end.
const AVERAGE: &str = "\
GEN_CREATED
GEN_SUSPENDED
4.0
4.5
3.67
Done
returned 3.67
GEN_CLOSED
";

/// Who is ready, after each thing that happens on a connection.
const SELECT_LISTS: &str = "\
connected: read [], write [client, server], except []
data sent: read [server], write [client, server], except []
the server reads data
urgent byte sent: read [], write [client, server], except [server]
the server reads ! out of band
client closed: read [server], write [server], except []
the server reads 0 bytes
";

pub(super) fn average(command: Command) -> Result<Transcript, Failure> {
    printed(command, AVERAGE)
}

/// The letters and the numbers take turns until the shorter has none left.
pub(super) fn round_robin(command: Command) -> Result<Transcript, Failure> {
    let pairs =
        "any string".chars().zip(0..11).map(|(letter, number)| format!("{letter}\n{number}\n"));
    printed(command, &(pairs.collect::<String>() + "10\n"))
}

pub(super) fn select_lists(command: Command) -> Result<Transcript, Failure> {
    printed(command, SELECT_LISTS)
}

fn printed(command: Command, expected: &str) -> Result<Transcript, Failure> {
    // On Windows, Python ends its lines in two signs.
    let text = output(command)?.replace("\r\n", "\n");
    if text == expected {
        return Ok(text);
    }
    Err(format!("--- expected\n{expected}--- printed\n{text}").into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn echo(text: &str) -> Command {
        let mut command = Command::new("printf");
        command.args(["%s", text]);
        command
    }

    #[test]
    fn only_the_expected_text_passes() {
        assert!(average(echo(AVERAGE)).is_ok());
        let failure = average(echo("GEN_CREATED\n")).unwrap_err().to_string();
        assert!(failure.ends_with("--- printed\nGEN_CREATED\n"), "{failure}");
        assert!(round_robin(echo("a\n0\n")).is_err());
        assert!(select_lists(echo("")).is_err());
    }
}
