//! Counts the workloads: what a unit of work costs, from two runs of unequal length.

use std::path::{Path, PathBuf};

use super::tools::{Counter, Kind};
use super::workloads::{self, Program, Work, Workload};
use super::{Row, lockstep, per_unit};
use crate::cargo::{cargo, executables};
use crate::report::{Failure, Report, output};

/// Counts all workloads, a step for each, that fails if `judge` objects to what was counted. What
/// cannot be counted for want of a tool is skipped.
pub(super) fn run(
    report: &mut Report,
    programs: &mut Programs,
    judge: impl Fn(&Row) -> Result<(), Failure>,
) -> Vec<Row> {
    let kinds = [Kind::Instructions, Kind::Calls];
    let here = kinds.map(|kind| report.has(kind.tool(), &format!("counts of {}", kind.name())));
    let mut rows = Vec::new();
    for workload in workloads::all() {
        let counts = workload.counts.iter().filter(|(kind, _)| here[*kind as usize]);
        for &(kind, bound) in counts {
            let Some(program) = programs.find(report, workload.program) else { break };
            let name = name(&workload, kind);
            report.step(&name, || {
                let value = count(&workload, kind, &program)?;
                let unit = format!("per {}", workload.unit);
                rows.push(Row { name: name.clone(), value, bound, unit });
                rows.last().map_or(Ok(()), &judge)
            });
        }
    }
    rows
}

fn name(workload: &Workload, kind: Kind) -> String {
    format!("{}, {}", workload.name, kind.name())
}

/// The names of all rows, where every tool is there.
pub(super) fn names() -> std::collections::BTreeSet<String> {
    let of = |workload: &Workload| {
        workload.counts.iter().map(|(kind, _)| name(workload, *kind)).collect::<Vec<_>>()
    };
    workloads::all().iter().flat_map(of).collect()
}

/// What one unit of the workload costs.
fn count(workload: &Workload, kind: Kind, program: &Path) -> Result<f64, Failure> {
    let run = |rounds: u64| -> Result<(u64, u64), Failure> {
        let counter = Counter::new(kind)?;
        let mut command = counter.command(program);
        command.args(&workload.arguments);
        match workload.work {
            Work::Alone => {
                command.arg(rounds.to_string());
                output(command)?;
            }
            Work::Served(dialogue, manner) => {
                lockstep::run(command, (dialogue, manner), workload.units, rounds)?;
            }
        }
        Ok((workload.units * rounds, counter.count()?))
    };
    Ok(per_unit(run(workload.rounds.0)?, run(workload.rounds.1)?))
}

/// The programs that were built, or could not be: each is tried once.
#[derive(Debug, Default)]
pub(super) struct Programs(Vec<(Program, Option<PathBuf>)>);

impl Programs {
    /// Builds the program, in a step of its own, unless that was done before.
    pub(super) fn find(&mut self, report: &mut Report, program: Program) -> Option<PathBuf> {
        if let Some((_, built)) = self.0.iter().find(|(known, _)| *known == program) {
            return built.clone();
        }
        let built = build(report, program);
        self.0.push((program, built.clone()));
        built
    }
}

fn build(report: &mut Report, program: Program) -> Option<PathBuf> {
    let (package, kind, name) = match program {
        Program::Example { package, name } => (package, "--example", name),
        Program::Shipped(name) => ("net", "--bin", name),
    };
    let build = cargo(&["build", "--release", "--quiet", "--package", package, kind, name]);
    report.value(&format!("build {package}'s {name}"), || {
        executables(build)?.pop().ok_or_else(|| "no executable was built".into())
    })
}
