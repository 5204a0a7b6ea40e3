//! Everything that proves the project by running it.

use std::process::Command;

use crate::answers;
use crate::cargo::cargo;
use crate::http;
use crate::memory;
use crate::report::Report;

/// Runs the tests, then the examples, then what needs more than the stable toolchain.
pub(crate) fn run(report: &mut Report) {
    // Built first and by itself, so that the times below are those of the tests.
    report.command("build the tests", workspace(&["--no-run"]));
    report.command("unit tests", workspace(&["--lib", "--bins"]));
    report.command("property and cross-crate tests", workspace(&["--test", "*"]));
    report.command("doc tests", workspace(&["--doc"]));
    let mut without = cargo(&["test", "--package", "net", "--no-default-features"]);
    without.arg("--no-fail-fast");
    report.command("net without programs", without);
    let tracing = ["test", "--package", "net", "--features", "tracing", "--test", "tracing"];
    report.command("net with tracing", cargo(&tracing));
    answers::run(report);
    http::run(report);
    memory::run(report);
}

/// A part of the tests of all crates; all that fail are shown, not the first alone.
fn workspace(part: &[&str]) -> Command {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(part);
    command
}
