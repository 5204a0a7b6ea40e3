//! Calls to cargo, and what its JSON says.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::report::{Failure, output};
use crate::tree;

/// Cargo, in the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(tree::root()).args(arguments);
    command
}

/// What `cargo metadata` says about the workspace and all it depends on.
pub(crate) fn metadata() -> Result<Value, Failure> {
    metadata_of(cargo(&[]))
}

/// As [`metadata`], of the workspace that this `cargo` is in.
pub(crate) fn metadata_of(mut cargo: Command) -> Result<Value, Failure> {
    // Stdout alone: progress goes to stderr.
    let result = cargo.args(["metadata", "--format-version", "1", "--all-features"]).output()?;
    if !result.status.success() {
        return Err(String::from_utf8_lossy(&result.stderr).into());
    }
    Ok(serde_json::from_slice(&result.stdout)?)
}

/// Builds with a `--message-format=json` and returns the executables it made.
///
/// A library's unit tests, its integration tests and programs come as they are built: each once.
pub(crate) fn executables(command: Command) -> Result<Vec<PathBuf>, Failure> {
    Ok(messages(command)?.lines().filter_map(executable).collect())
}

/// As [`executables`], without the programs that are built because tests start them.
pub(crate) fn suites(command: Command) -> Result<Vec<PathBuf>, Failure> {
    let text = messages(command)?;
    let tests = text.lines().filter(|line| is_test(line));
    Ok(tests.filter_map(executable).collect())
}

fn messages(mut command: Command) -> Result<String, Failure> {
    command.arg("--message-format=json-render-diagnostics");
    Ok(output(command).map_err(|failure| without_messages(&failure.to_string()))?)
}

/// What cargo says to people; what it says to programs would hide it.
fn without_messages(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('{'));
    lines.collect::<Vec<&str>>().join("\n")
}

fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    (message["reason"] == "compiler-artifact").then_some(())?;
    message["executable"].as_str().map(PathBuf::from)
}

fn is_test(line: &str) -> bool {
    let message: Option<Value> = serde_json::from_str(line).ok();
    message.is_some_and(|message| message["profile"]["test"] == true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_shows_what_is_for_people() {
        assert_eq!(without_messages("{\"reason\":1}\nerror: no\n"), "error: no");
    }

    #[test]
    fn only_executables_are_taken_from_messages() {
        let program = r#"{"reason":"compiler-artifact","executable":"/t/debug/program"}"#;
        let library = r#"{"reason":"compiler-artifact","executable":null}"#;
        assert_eq!(executable(program), Some(PathBuf::from("/t/debug/program")));
        assert_eq!(executable(library), None);
        assert_eq!(executable("   Compiling gen"), None);
    }

    #[test]
    fn tests_are_told_from_programs() {
        assert!(is_test(r#"{"reason":"compiler-artifact","profile":{"test":true}}"#));
        assert!(!is_test(r#"{"reason":"compiler-artifact","profile":{"test":false}}"#));
        assert!(!is_test(r#"{"reason":"build-finished"}"#));
        assert!(!is_test("   Compiling gen"));
    }
}
