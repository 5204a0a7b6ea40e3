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
    // By this name and not by `--test "*"`, which would refuse those that need a feature.
    report.command("unit, property and cross-crate tests", workspace(&["--tests"]));
    report.command("doc tests", workspace(&["--doc"]));
    report.command("net without features", net(&["--no-default-features"]));
    report.command("net with every feature", net(&["--all-features"]));
    answers::run(report);
    http::run(report);
    memory::run(report);
}

/// The tests of net with other features than those that are on by default.
fn net(features: &[&str]) -> Command {
    let mut command = cargo(&["test", "--package", "net", "--no-fail-fast", "--tests"]);
    command.args(features);
    command
}

/// A part of the tests of all crates; all that fail are shown, not the first alone.
fn workspace(part: &[&str]) -> Command {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(part);
    command
}
