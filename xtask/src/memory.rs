//! The crates that hold the unsafe code, under tools that see what a test cannot.

use std::path::Path;
use std::process::Command;

use crate::cargo::{cargo, executables};
use crate::report::Report;
use crate::tool::Tool;

/// The suites of the crates that hold unsafe code, without doc tests.
const SUITES: [&str; 6] = ["--package", "gen", "--package", "sched", "--lib", "--tests"];

/// Property tests run fewer cases where each instruction costs up to fifty.
const CASES: &str = "8";

/// AddressSanitizer, valgrind, and the loom model check, each where it can run.
pub(crate) fn run(report: &mut Report) {
    sanitizer(report);
    valgrind(report);
    model(report);
}

fn sanitizer(report: &mut Report) {
    const NAME: &str = "AddressSanitizer, gen and sched";
    if !cfg!(target_os = "linux") {
        report.skip(NAME, "it is used on Linux only");
    } else if report.has(Tool::Nightly, NAME) {
        // With a target named, build scripts and macros are built without the sanitizer.
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut command = cargo(&["+nightly", "test", "--target-dir", "target/asan"]);
        command.args(["--target", &target]).args(SUITES);
        command.env("RUSTFLAGS", "-Zsanitizer=address").env("PROPTEST_CASES", "32");
        report.command(NAME, command);
    }
}

fn valgrind(report: &mut Report) {
    const NAME: &str = "valgrind, gen and sched";
    if !report.has(Tool::Valgrind, NAME) {
        return;
    }
    let mut build = cargo(&["test", "--no-run"]);
    build.args(SUITES);
    let built = report.value("build the suites for valgrind", || executables(build));
    for program in built.into_iter().flatten() {
        let name = suite(&program);
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
        // Threads that outlive the tests leave reachable blocks; only lost ones are errors.
        command.args(["--errors-for-leak-kinds=definite", "--fair-sched=try"]);
        command.arg(program).env("PROPTEST_CASES", CASES);
        report.command(&format!("valgrind, {name}"), command);
    }
}

/// The name of a test program, without the hash that cargo adds.
fn suite(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    stem.rsplit_once('-').map_or(stem.as_ref(), |(name, _)| name).to_owned()
}

/// The protocol by which other threads wake tasks, in every interleaving.
fn model(report: &mut Report) {
    let mut command = cargo(&["test", "--package", "sched", "--release", "--test", "loom"]);
    // A target folder of its own: the flag would throw away everything built without it.
    command.args(["--target-dir", "target/loom"]).env("RUSTFLAGS", "--cfg loom");
    report.command("loom, sched", command);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_named_without_their_hash() {
        assert_eq!(suite(Path::new("/t/deps/attacks-b6b5a172c02ab824")), "attacks");
        assert_eq!(suite(Path::new("/t/deps/plain")), "plain");
    }
}
