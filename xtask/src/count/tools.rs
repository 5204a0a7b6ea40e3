//! valgrind and strace around a program, and what they counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::Failure;
use crate::tool::Tool;
use crate::tree;

/// A tool that counts while a program runs, and writes its count to a file at the end.
#[derive(Debug)]
pub(crate) struct Counter {
    kind: Kind,
    log: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// User-mode instructions.
    Instructions,
    /// System calls, of all threads.
    Calls,
}

impl Kind {
    /// What counts it.
    pub(crate) fn tool(self) -> Tool {
        match self {
            Kind::Instructions => Tool::Valgrind,
            Kind::Calls => Tool::Strace,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Instructions => "instructions",
            Kind::Calls => "system calls",
        }
    }
}

impl Counter {
    /// A counter that no other run shares its file with.
    pub(crate) fn new(kind: Kind) -> Result<Counter, Failure> {
        let folder = tree::root().join("target").join("xtask");
        fs::create_dir_all(&folder)?;
        Ok(Counter { kind, log: folder.join(format!("{kind:?}-{}.log", std::process::id())) })
    }

    /// The program under the tool; arguments may be added.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self.kind {
            Kind::Instructions => {
                let mut command = Command::new("valgrind");
                command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
                command.arg(format!("--log-file={}", self.log.display()));
                command
            }
            Kind::Calls => {
                let mut command = Command::new("strace");
                // A line for each call, without what its pointers point to.
                command.args(["-f", "-e", "verbose=none", "-e", "signal=none", "-s", "0", "-o"]);
                command.arg(&self.log);
                command
            }
        };
        command.arg(program);
        command
    }

    /// What was counted, once the program has ended.
    pub(crate) fn count(&self) -> Result<u64, Failure> {
        let text = fs::read_to_string(&self.log)?;
        fs::remove_file(&self.log)?;
        let count = match self.kind {
            Kind::Instructions => collected(&text),
            Kind::Calls => calls(&text),
        };
        count.ok_or_else(|| format!("no count in what the tool wrote:\n{text}").into())
    }
}

/// callgrind's `==42== Collected : 12345`
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit_once(':')?.1.trim().parse().ok()
}

/// The calls in strace's log, of all threads; nothing if it is empty.
///
/// One that a signal interrupts is made again, and counts once: a server that is stopped and goes on
/// makes no more of them than one that is left alone.
fn calls(log: &str) -> Option<u64> {
    let (mut begun, mut interrupted) = (0, 0);
    for line in log.lines() {
        // `42 recvfrom(6, 0x7f, 4096, 0, NULL, NULL) = 6`, `42 <... recvfrom resumed>, ...) = 6`,
        // `42 +++ exited with 0 +++`
        let call = line.split_once(char::is_whitespace)?.1.trim_start();
        begun += u64::from(call.starts_with(|first: char| first.is_alphabetic()));
        let ended = call.rsplit_once(" = ").map_or("", |(_, result)| result);
        let again = ended.starts_with("? ERESTART") || ended.starts_with("-1 EINTR");
        interrupted += u64::from(again);
    }
    (begun > 0).then(|| begun - interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_what_the_tools_write() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 12345\n"), Some(12345));
        assert_eq!(collected("==7== nothing\n"), None);
    }

    #[test]
    fn a_call_that_is_made_in_two_lines_is_one() {
        let log = "7 recvfrom(6, 0x7f, 4096, 0, NULL, NULL) = -1 EAGAIN (Resource unavailable)\n\
                   7 epoll_wait(4,  <unfinished ...>\n\
                   8 close(3)    = 0\n\
                   7 <... epoll_wait resumed>0x7f, 256, -1) = 1\n\
                   8 +++ exited with 0 +++\n";
        assert_eq!(calls(log), Some(3));
        assert_eq!(calls(""), None);
        assert_eq!(calls("nothing"), None);
    }

    #[test]
    fn a_call_that_is_made_again_is_one() {
        let log = "7 epoll_wait(4, 0x7f, 256, -1) = -1 EINTR (Interrupted system call)\n\
                   8 futex(0x55, 0x189, 0, NULL, 0xffffffff <unfinished ...>\n\
                   7 epoll_wait(4, 0x7f, 256, -1) = 1\n\
                   8 <... futex resumed>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n\
                   8 futex(0x55, 0x189, 0, NULL, 0xffffffff) = 0\n";
        assert_eq!(calls(log), Some(2));
    }
}
