//! Programs in a simulation, from many seeds.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cargo::cargo;
use crate::mutations;
use crate::report::{Failure, Report};

/// Seeds of each scenario that are the same in every run, counted from 0.
const FIXED_SEEDS: u64 = 100;

/// And those that are new in each.
const FRESH_SEEDS: u64 = 50;

/// Runs what the arguments ask for; without any, seeds that are always the same and fresh ones.
pub(crate) fn run(report: &mut Report, arguments: &[&str]) {
    match arguments {
        [] => {
            report.command("build the scenarios", scenarios(&["--no-run"], &[]));
            let seeds = FIXED_SEEDS.to_string();
            report.step("fixed seeds", || shown(scenarios(&[], &["--seeds", &seeds])));
            let (seeds, first) = (FRESH_SEEDS.to_string(), fresh().to_string());
            let arguments = ["--seeds", &seeds, "--seed", &first];
            report.step("fresh seeds", || shown(scenarios(&[], &arguments)));
        }
        ["--mutations"] => mutations::run(report),
        arguments => report.step("scenarios", || shown(scenarios(&[], arguments))),
    }
}

/// The program that runs the scenarios, in the profile that is built for it.
fn scenarios(build: &[&str], arguments: &[&str]) -> Command {
    let mut command = cargo(&["test", "--quiet", "--package", "net", "--profile", "sim"]);
    command.args(["--features", "sim", "--test", "scenarios"]).args(build);
    command.arg("--").args(arguments);
    command
}

/// Runs a command on this terminal, so that its progress is seen.
fn shown(mut command: Command) -> Result<(), Failure> {
    println!();
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// A seed that no run before had: the time in seconds. A failure names the seed that repeats it.
fn fresh() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_seeds_are_not_the_fixed_ones() {
        assert!(fresh() > FIXED_SEEDS);
    }
}
