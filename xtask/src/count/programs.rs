//! What a resume of a generator and a step of a task cost, by the counting examples of gen and sched.

use std::path::{Path, PathBuf};

use super::tools::{Counter, Kind};
use super::{Table, per_unit, ratio};
use crate::cargo::{cargo, executables};
use crate::report::Failure;
use crate::tool::Tool;

/// A generator that is inlined costs what a state machine written by hand does; the difference of
/// the two runs leaves this much to chance.
const BEYOND_ENUM: f64 = 0.5;
/// Instructions of a resume through a pointer, with a value sent.
const BEHIND_DYN: f64 = 53.0;
/// Instructions of a step, the wake that queues the task again included; 89 when this was set.
const STEP: f64 = 110.0;

/// How many tasks take turns; each adds a step for every yield.
const TASKS: u64 = 1_000;

pub(super) fn run(table: &mut Table<'_>) {
    let counts = table.report.has(Tool::Valgrind, "instructions of gen and sched");
    if counts && let Some(program) = build(table, "gen", "count") {
        generators(table, &program);
    }
    if let Some(program) = build(table, "sched", "laps") {
        if counts {
            table.row("scheduler, step", STEP, "instructions", || step(&program));
        }
        ratio::run(table, &program);
    }
}

fn generators(table: &mut Table<'_>, program: &Path) {
    table.row("generator, beyond the enum", BEYOND_ENUM, "instructions per resume", || {
        Ok(resume(program, "gen")? - resume(program, "enum")?)
    });
    table.row("generator, behind dyn", BEHIND_DYN, "instructions per resume", || {
        resume(program, "dyn-gen")
    });
}

fn build(table: &mut Table<'_>, package: &str, example: &str) -> Option<PathBuf> {
    let build = cargo(&["build", "--release", "--package", package, "--example", example]);
    table.report.value(&format!("build {package}'s {example}"), || {
        executables(build)?.pop().ok_or_else(|| "no executable was built".into())
    })
}

/// The instructions of one resume, counted to in the given way.
fn resume(program: &Path, way: &str) -> Result<f64, Failure> {
    let run = |number: u64| Ok((number, instructions(program, &[way, &number.to_string()])?));
    difference(run, 10_000, 1_010_000)
}

/// The instructions of one step of many tasks that take turns.
fn step(program: &Path) -> Result<f64, Failure> {
    let run = |yields: u64| {
        let arguments = ["sched", &TASKS.to_string(), &yields.to_string()];
        Ok((TASKS * yields, instructions(program, &arguments)?))
    };
    difference(run, 10, 210)
}

fn difference(
    run: impl Fn(u64) -> Result<(u64, u64), Failure>,
    less: u64,
    more: u64,
) -> Result<f64, Failure> {
    Ok(per_unit(run(less)?, run(more)?))
}

fn instructions(program: &Path, arguments: &[&str]) -> Result<u64, Failure> {
    Counter::new(Kind::Instructions)?.run(program, arguments)
}
