//! What ran, how long it took, and what it came to.

use std::error::Error;
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::tool::Tool;

/// Why a step failed, as text to show in full.
pub(crate) type Failure = Box<dyn Error>;

/// Runs steps one after the other, prints one line for each, and counts them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: u32,
    failed: u32,
    /// What was skipped, and why.
    skips: Vec<String>,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report::default()
    }

    /// Runs `work` as a step: a line with its name, its verdict and its time, then why it failed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<(), Failure>) {
        self.value(name, work);
    }

    /// A step whose result a later step needs.
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Option<T> {
        print!("{name} ... ");
        flush();
        let start = Instant::now();
        self.verdict(start, work())
    }

    /// As [`Report::value`], for work that shows its own progress: the line is printed after it.
    pub(crate) fn value_of_shown<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Option<T> {
        let start = Instant::now();
        let result = work();
        print!("{name} ... ");
        self.verdict(start, result)
    }

    fn verdict<T>(&mut self, start: Instant, result: Result<T, Failure>) -> Option<T> {
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(value) => {
                println!("ok, {seconds:.1} s");
                self.passed += 1;
                Some(value)
            }
            Err(failure) => {
                println!("FAILED, {seconds:.1} s\n{}\n", failure.to_string().trim_end());
                self.failed += 1;
                None
            }
        }
    }

    /// A step that passes if the command succeeds; what the command says is shown if it does not.
    pub(crate) fn command(&mut self, name: &str, command: Command) {
        self.step(name, || output(command).map(drop));
    }

    /// Whether `tool` is there; otherwise the step `name` is counted as skipped.
    ///
    /// A skip that should not have happened is a failure: a run that silently proves less than the
    /// one before it is worse than one that fails.
    pub(crate) fn has(&mut self, tool: Tool, name: &str) -> bool {
        let Some(reason) = tool.missing() else {
            return true;
        };
        self.skip(name, &reason);
        if tool.expected() {
            println!("FAILED {name}: with CI=true this step must run");
            self.failed += 1;
        }
        false
    }

    /// Counts the step `name` as skipped, in exactly one line.
    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        println!("SKIPPED {name}: {reason}");
        self.skips.push(format!("{name}: {reason}"));
    }

    /// What was skipped so far, each with its reason.
    pub(crate) fn skips(&self) -> &[String] {
        &self.skips
    }

    /// Prints the summary line.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("{}", self.summary());
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn summary(&self) -> String {
        let skipped = self.skips.len();
        format!("{} passed, {} failed, {skipped} skipped", self.passed, self.failed)
    }
}

/// Runs a command to its end and returns what it printed, on both streams in their order.
///
/// # Errors
///
/// The command cannot be started, or reports failure: then the error holds the command and all it said.
pub(crate) fn output(mut command: Command) -> Result<String, Failure> {
    let (mut reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let shown = format!("{command:?}");
    let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
    // The command holds the writing ends of the pipe: while it lives, the reader sees no end.
    drop(command);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = child.wait()?;
    if status.success() { Ok(text) } else { Err(format!("{shown}: {status}\n{text}").into()) }
}

/// What the checks found, as a result: nothing is a success.
pub(crate) fn verdict(findings: &[String]) -> Result<(), Failure> {
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n").into()) }
}

fn flush() {
    // Progress only: a closed output shows itself at the next line.
    let _ = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_every_kind() {
        let mut report = Report::new();
        report.step("works", || Ok(()));
        report.step("works not", || Err("because".into()));
        report.skip("absent", "no such tool");
        assert_eq!(report.summary(), "1 passed, 1 failed, 1 skipped");
        assert_ne!(format!("{:?}", report.finish()), format!("{:?}", ExitCode::SUCCESS));
    }

    #[test]
    fn a_failing_command_is_shown_with_all_it_said() {
        let mut command = crate::cargo::cargo(&["metadata"]);
        command.arg("--no-such-option");
        let failure = output(command).unwrap_err().to_string();
        assert!(failure.contains("--no-such-option"), "{failure}");
        assert!(failure.contains("error:"), "{failure}");
    }

    #[test]
    fn findings_are_a_failure() {
        assert!(verdict(&[]).is_ok());
        assert_eq!(verdict(&["a".into(), "b".into()]).unwrap_err().to_string(), "a\nb");
    }
}
