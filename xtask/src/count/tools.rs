//! valgrind and strace around a program, and what they counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::{Failure, output};
use crate::tree;

/// A tool that counts while a program runs, and writes its count to a file at the end.
#[derive(Debug)]
pub(super) struct Counter {
    kind: Kind,
    log: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// User-mode instructions.
    Instructions,
    /// System calls, of all threads.
    Calls,
}

impl Counter {
    /// A counter that no other run shares its file with.
    pub(super) fn new(kind: Kind) -> Result<Counter, Failure> {
        let folder = tree::root().join("target").join("xtask");
        fs::create_dir_all(&folder)?;
        Ok(Counter { kind, log: folder.join(format!("{kind:?}-{}.log", std::process::id())) })
    }

    /// The program under the tool; arguments may be added.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match self.kind {
            Kind::Instructions => {
                let mut command = Command::new("valgrind");
                command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
                command.arg(format!("--log-file={}", self.log.display()));
                command
            }
            Kind::Calls => {
                let mut command = Command::new("strace");
                command.args(["-f", "-c", "-o"]).arg(&self.log);
                command
            }
        };
        command.arg(program);
        command
    }

    /// Runs the program to its end and returns the count.
    pub(super) fn run(&self, program: &Path, arguments: &[&str]) -> Result<u64, Failure> {
        let mut command = self.command(program);
        command.args(arguments);
        output(command)?;
        self.count()
    }

    /// What was counted, once the program has ended.
    pub(super) fn count(&self) -> Result<u64, Failure> {
        let text = fs::read_to_string(&self.log)?;
        fs::remove_file(&self.log)?;
        let count = match self.kind {
            Kind::Instructions => collected(&text),
            Kind::Calls => total(&text),
        };
        count.ok_or_else(|| format!("no count in what the tool wrote:\n{text}").into())
    }
}

/// callgrind's `==42== Collected : 12345`
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit_once(':')?.1.trim().parse().ok()
}

/// The last line of strace's table: `100.00 0.000123 1 12345 6 total`
fn total(text: &str) -> Option<u64> {
    let line = text.lines().rfind(|line| line.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_what_the_tools_write() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 12345\n"), Some(12345));
        assert_eq!(collected("==7== nothing\n"), None);
        let table = "  0.00    0.000000           0         1           brk\n\
                     100.00    0.000123           1        42         1 total\n";
        assert_eq!(total(table), Some(42));
        assert_eq!(total("nothing"), None);
    }
}
