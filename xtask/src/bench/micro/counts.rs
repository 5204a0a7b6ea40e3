//! The instructions of a resume and of a step, of the participants that the suites have measured.

use std::path::Path;

use crate::bench::arguments::Suite;
use crate::bench::progress;
use crate::bench::record::Record;
use crate::count::per_unit;
use crate::count::tools::{Counter, Kind};
use crate::report::{Failure, Report, output};
use crate::tool::Tool;

/// How many resumes or steps the two runs make whose difference is taken.
const UNITS: [u64; 2] = [10_000, 210_000];

/// The number of tasks of which a step is counted: more would only miss caches, which nobody counts.
const TASKS: u64 = 100;

/// Adds records with the instructions to those that were timed, where they can be counted.
pub(crate) fn run(
    report: &mut Report,
    suite: Suite,
    program: &Path,
    timed: &[Record],
) -> Vec<Record> {
    let counted: Vec<&Record> = timed.iter().filter(|record| is_counted(suite, record)).collect();
    let name = format!("{}, instructions", suite.name());
    if counted.is_empty() || !report.has(Tool::Valgrind, &name) {
        return Vec::new();
    }
    let bar = progress::bar(suite.name(), counted.len() as u64);
    let all = report.value_of_shown(&name, || {
        let count = |record: &&Record| {
            bar.set_message(format!("{}: {}", record.case, record.peer));
            let counted = instructions(program, record);
            bar.inc(1);
            counted
        };
        let all = counted.iter().map(count).collect::<Result<Vec<Record>, Failure>>();
        bar.finish_and_clear();
        all
    });
    all.unwrap_or_default()
}

/// Those that run in the counted process, and whose unit of work is known.
fn is_counted(suite: Suite, record: &Record) -> bool {
    if record.metric != "cpu" || record.peer == "python" || record.peer.ends_with(" again") {
        return false;
    }
    match suite {
        Suite::Gen => record.size.is_none(),
        Suite::Sched => record.case == "step" && tasks(record) == Some(TASKS),
        _ => false,
    }
}

fn tasks(record: &Record) -> Option<u64> {
    record.size.as_ref().map(|(_, size)| *size)
}

fn instructions(program: &Path, timed: &Record) -> Result<Record, Failure> {
    let tasks = tasks(timed);
    let run = |units: u64| -> Result<(u64, u64), Failure> {
        let (size, iterations) = (tasks.unwrap_or(0), units / tasks.unwrap_or(1));
        let (size, iterations) = (size.to_string(), iterations.to_string());
        let arguments = ["--count", &timed.case, &timed.peer, &size, &iterations];
        let counter = Counter::new(Kind::Instructions)?;
        let mut command = counter.command(program);
        command.args(arguments);
        output(command)?;
        Ok((units, counter.count()?))
    };
    let value = per_unit(run(UNITS[0])?, run(UNITS[1])?);
    Ok(record(timed, value))
}

/// The count beside the times, as one figure more.
fn record(timed: &Record, value: f64) -> Record {
    let unit = timed.unit.split_once('/').map_or("unit", |(_, unit)| unit);
    Record {
        metric: Kind::Instructions.name().to_owned(),
        unit: format!("per {unit}"),
        samples: vec![value],
        grows: false,
        ..timed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::OURS;
    use crate::bench::record::tests::sample;

    #[test]
    fn what_is_counted_is_known_by_its_unit() {
        let step = sample("step", Some(TASKS), OURS, 1.0);
        assert!(is_counted(Suite::Sched, &step) && !is_counted(Suite::Poll, &step));
        assert!(!is_counted(Suite::Sched, &sample("step", Some(2), OURS, 1.0)));
        assert!(!is_counted(Suite::Sched, &sample("spawn", Some(TASKS), OURS, 1.0)));
        assert!(is_counted(Suite::Gen, &sample("count", None, "enum", 1.0)));
        for peer in ["python", "ours again"] {
            assert!(!is_counted(Suite::Gen, &sample("count", None, peer, 1.0)));
        }
    }

    #[test]
    fn a_count_stands_beside_the_times() {
        let timed = sample("step", Some(TASKS), OURS, 1.0);
        let counted = record(&timed, 53.0);
        assert_eq!((&*counted.metric, &*counted.unit), ("instructions", "per step"));
        assert_eq!((&counted.size, &counted.samples), (&timed.size, &vec![53.0]));
    }
}
