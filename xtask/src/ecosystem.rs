//! Other people's libraries over the loop, and other people's clients of them: the programs of a
//! workspace of its own.

mod process;
mod redis;
mod tls;
mod web;

use std::path::PathBuf;
use std::process::Command;

use crate::cargo::{cargo, executables, metadata_of};
use crate::check::licences;
use crate::report::{Failure, Report, verdict};
use crate::server::Server;
use crate::tree;

/// Where the programs are.
const FOLDER: &str = "examples/ecosystem";

/// What the programs stand on, in the crate itself.
const FEATURE: [&str; 8] = [
    "test",
    "--package=net",
    "--features=futures-io",
    "--no-fail-fast",
    "--test",
    "futures_io",
    "--test",
    "allocations",
];

/// Tests the feature that the programs need, checks and builds them, and drives each.
pub(crate) fn run(report: &mut Report) {
    report.command("net with futures-io", cargo(&FEATURE));
    report.command("rustfmt of the ecosystem", inside(&["fmt", "--check"]));
    let clippy = ["clippy", "--quiet", "--all-targets", "--", "--deny", "warnings"];
    report.command("clippy of the ecosystem", inside(&clippy));
    report.step("licences of the ecosystem", || {
        verdict(&licences::check(&metadata_of(inside(&[]))?))
    });
    report.command("tests of the ecosystem", inside(&["test", "--no-fail-fast"]));
    let build = inside(&["build", "--bins"]);
    let Some(programs) = report.value("build the ecosystem", || executables(build)) else {
        return;
    };
    if !cfg!(unix) {
        return report.skip("the ecosystem's programs", "they are ended by a signal, on Unix only");
    }
    tls::run(report, &programs);
    web::run(report, &programs);
    redis::run(report, &programs);
}

/// Cargo, in the root of the programs' workspace.
fn inside(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.current_dir(tree::root().join(FOLDER));
    command
}

fn program(programs: &[PathBuf], name: &str) -> Result<Command, Failure> {
    let found = programs.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    Ok(Command::new(found.ok_or("it was not built")?))
}

/// Ends a server, which must let it be known that it has ended as it should.
fn end(report: &mut Report, name: &str, server: Server) {
    report.step(&format!("{name} ends when it is asked to"), || {
        let status = server.terminate()?;
        if status.success() { Ok(()) } else { Err(status.to_string().into()) }
    });
}

/// Both are the same, or else the failure shows both.
fn same(expected: &str, got: &str) -> Result<(), Failure> {
    if expected == got {
        return Ok(());
    }
    Err(format!("--- expected\n{expected}\n--- got\n{got}").into())
}
