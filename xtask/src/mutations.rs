//! Does the simulation find faults? Breaks `net` on purpose, one way at a time, in a copy of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::report::{Failure, Report, output};
use crate::tree;

/// A fault to be put in, and what the code says where it goes.
struct Mutation {
    name: &'static str,
    file: &'static str,
    search: &'static str,
    replace: &'static str,
}

/// Seeds of each scenario within which a fault has to show itself.
const SEEDS: &str = "40";

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "a wake is lost",
        file: "crates/net/src/core.rs",
        search: "        self.ended += 1;\n        self.wakes.wake(task);",
        replace: "        self.ended += 1;\n        if self.core.source_waits.len() != 1 { self.wakes.wake(task); }",
    },
    Mutation {
        name: "who waits to write is not told",
        file: "crates/net/src/source.rs",
        search: "        for direction in Direction::BOTH {\n            if awaited",
        replace: "        for direction in [Direction::Read] {\n            if awaited",
    },
    Mutation {
        name: "what was reported before is forgotten",
        file: "crates/net/src/source.rs",
        search: "self.ready.set(self.ready.get() | readiness);",
        replace: "self.ready.set(readiness);",
    },
    Mutation {
        name: "a short read is taken to be empty though the end has come",
        file: "crates/net/src/source.rs",
        search: "if !ready.intersects(odd()) {",
        replace: "if !ready.is_empty() {",
    },
    Mutation {
        name: "a short write is taken for whole",
        file: "crates/net/src/stream/io.rs",
        search: "if sent == bytes.len() {",
        replace: "if sent > 0 {",
    },
    Mutation {
        name: "the part that was sent is sent again",
        file: "crates/net/src/stream/io.rs",
        search: "bytes = bytes.get(sent..).unwrap_or_default();",
        replace: "bytes = bytes.get(sent - 1..).unwrap_or_default();",
    },
    Mutation {
        name: "a half-close closes both ways",
        file: "crates/net/src/stream/halves.rs",
        search: "shutdown(Shutdown::Write)",
        replace: "shutdown(Shutdown::Both)",
    },
    Mutation {
        name: "a wait is left behind on cancel",
        file: "crates/net/src/registered.rs",
        search: "            self.on.core.end_wait(&self.on.source, Self::DIRECTION);\n        }\n        self.noted = Noted::No;",
        replace: "        }\n        self.noted = Noted::No;",
    },
    Mutation {
        name: "a timer is left behind on cancel",
        file: "crates/net/src/time.rs",
        search: "            let waiter = self.core.timers.borrow_mut().cancel(timer);\n            drop(waiter);",
        replace: "            let _ = timer;",
    },
    Mutation {
        name: "timers fire early",
        file: "crates/net/src/timers.rs",
        search: "if self.next()? > now {",
        replace: "if self.next()? > now + std::time::Duration::from_millis(700) {",
    },
    Mutation {
        name: "an interrupted call is an error",
        file: "crates/net/src/registered.rs",
        search: "Err(error) if error.kind() == io::ErrorKind::Interrupted => {}",
        replace: "Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),",
    },
    Mutation {
        name: "no descriptor left ends the server",
        file: "crates/net/src/driver/socket.rs",
        search: "                AcceptFailure::Exhausted\n            }",
        replace: "                AcceptFailure::Listener\n            }",
    },
    Mutation {
        name: "the stop forgets the backlog",
        file: "crates/net/src/server/accepting.rs",
        search: "        self.drain(deadline).await;",
        replace: "",
    },
    Mutation {
        name: "a full descriptor table is spun on",
        file: "crates/net/src/server/mod.rs",
        search: "pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);",
        replace: "pub const ACCEPT_PAUSE: Duration = Duration::from_nanos(100);",
    },
    Mutation {
        name: "a group's member is not counted out",
        file: "crates/net/src/group.rs",
        search: "        self.members.borrow_mut().remove(&task);\n        self.tell();",
        replace: "        self.members.borrow_mut().remove(&task);",
    },
];

/// Puts in each fault by itself, and sees whether the scenarios fail.
pub(crate) fn run(report: &mut Report) {
    let copy = tree::root().join("target/mutations/tree");
    let Some(()) = report.value("copy the tree", || copy_tree(&copy)) else { return };
    report.step("the scenarios pass without a fault", || match scenarios(&copy)? {
        None => Ok(()),
        Some(found) => Err(found.into()),
    });
    for mutation in MUTATIONS {
        report.step(&format!("found: {}", mutation.name), || find(mutation, &copy));
    }
}

/// Puts the fault in, runs, and takes it out again.
fn find(mutation: &Mutation, copy: &Path) -> Result<(), Failure> {
    let file = copy.join(mutation.file);
    let sound = fs::read_to_string(&file)?;
    fs::write(&file, mutation.apply(&sound)?)?;
    let found = scenarios(copy);
    fs::write(&file, sound)?;
    found?.map(drop).ok_or_else(|| format!("{SEEDS} seeds of each scenario did not find it").into())
}

impl Mutation {
    fn apply(&self, text: &str) -> Result<String, Failure> {
        match text.matches(self.search).count() {
            1 => Ok(text.replacen(self.search, self.replace, 1)),
            found => Err(format!("{}: {found} places say {:?}", self.file, self.search).into()),
        }
    }
}

/// Runs the scenarios of the copy, and returns what they found; an error is one of the build.
fn scenarios(copy: &Path) -> Result<Option<String>, Failure> {
    let build = test(copy, &["--no-run"]);
    output(build)?;
    let log = copy.with_file_name("log");
    let mut run = test(copy, &["--", "--seeds", SEEDS]);
    let mut child = run.stdout(fs::File::create(&log)?).stderr(Stdio::null()).spawn()?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok((!status.success()).then_some(fs::read_to_string(log)?));
        }
        std::thread::sleep(PAUSE);
    }
    child.kill()?;
    child.wait()?;
    Ok(Some(format!("no end after {PATIENCE:?}")))
}

/// How long the scenarios may take: a fault may make a task run for ever within one step.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks whether they have ended.
const PAUSE: Duration = Duration::from_millis(50);

fn test(copy: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--package", "net", "--profile", "sim", "--features", "sim"]);
    command.args(["--test", "scenarios"]).args(arguments).current_dir(copy);
    // A fault may leave something unused.
    command.env("RUSTFLAGS", "--cap-lints=allow");
    command.env("CARGO_TARGET_DIR", copy.with_file_name("target")).stdin(Stdio::null());
    command
}

/// A copy of what is under the tree, without what was built.
fn copy_tree(to: &Path) -> Result<(), Failure> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    for file in tree::files()? {
        let path: PathBuf = to.join(&file.path);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        fs::write(path, &file.text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_place_in_the_tree() {
        for mutation in MUTATIONS {
            let text = fs::read_to_string(tree::root().join(mutation.file)).unwrap();
            mutation.apply(&text).unwrap_or_else(|error| panic!("{}: {error}", mutation.name));
        }
    }

    #[test]
    fn a_place_that_is_not_there_or_there_twice_is_named() {
        let mutation = Mutation { name: "n", file: "f", search: "ab", replace: "c" };
        assert_eq!(mutation.apply("xaby").unwrap(), "xcy");
        assert!(mutation.apply("xay").is_err());
        assert!(mutation.apply("abab").is_err());
    }
}
