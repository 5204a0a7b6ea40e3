//! The examples, run: what they print and answer, beside their twins in Python.

mod alone;
mod console;
mod servers;

use std::path::PathBuf;
use std::process::Command;

use crate::cargo::{cargo, executables};
use crate::report::{Failure, Report};
use crate::tool::{PYTHON, Tool};
use crate::tree;

/// What a program printed and answered, as text that two of them can be compared by.
type Transcript = String;

/// How a program is put to the test.
type Trial = fn(Command) -> Result<Transcript, Failure>;

const PROGRAMS: [(&str, Trial); 5] = [
    ("average", console::average),
    ("round_robin", console::round_robin),
    ("select_lists", console::select_lists),
    ("hello_select", servers::hello),
    ("echo_selectors", servers::echo),
];

/// Programs without a twin, each with what it is put to.
const ALONE: [(&str, alone::Trial); 7] = [
    ("chat", alone::chat),
    ("chat, a slow guest", alone::chat_with_a_slow_guest),
    ("netcat", alone::netcat),
    ("proxy", alone::proxy),
    ("proxy, faults", alone::proxy_with_faults),
    ("scan", alone::scan),
    ("netcat, proxy and chat", alone::all_together),
];

/// The programs that use `select(2)` itself.
const NEED_SELECT: [&str; 2] = ["select_lists", "hello_select"];

/// Builds the examples and tries each; then each twin, which must come to the same.
pub(crate) fn run(report: &mut Report) {
    let build = cargo(&["build", "--package", "examples", "--bins"]);
    let Some(built) = report.value("build the examples", || executables(build)) else {
        return;
    };
    for (name, trial) in PROGRAMS {
        if !cfg!(unix) && NEED_SELECT.contains(&name) {
            report.skip(&format!("example {name}"), "poll has select on Unix only");
            continue;
        }
        let ours = report.value(&format!("example {name}"), || trial(program(&built, name)?));
        let twin = format!("twin {name}");
        if report.has(Tool::Python, &twin) {
            report.step(&twin, || same(&ours.unwrap_or_default(), &trial(python(name))?));
        }
    }
    for (name, trial) in ALONE {
        report.step(&format!("example {name}"), || trial(&|name| program(&built, name)));
    }
}

fn program(built: &[PathBuf], name: &str) -> Result<Command, Failure> {
    let found = built.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    Ok(Command::new(found.ok_or("it was not built")?))
}

fn python(name: &str) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg("-B").arg(tree::root().join("examples").join(format!("{name}.py")));
    command
}

fn same(ours: &str, twin: &str) -> Result<(), Failure> {
    if ours == twin {
        return Ok(());
    }
    Err(format!("--- in Rust\n{ours}\n--- in Python\n{twin}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown() {
        assert!(same("a", "a").is_ok());
        let failure = same("a", "b").unwrap_err().to_string();
        assert_eq!(failure, "--- in Rust\na\n--- in Python\nb");
    }

    #[test]
    fn a_program_that_was_not_built_is_a_failure() {
        let built = [PathBuf::from("/t/debug/average")];
        assert!(program(&built, "average").is_ok());
        assert!(program(&built, "round_robin").is_err());
    }
}
