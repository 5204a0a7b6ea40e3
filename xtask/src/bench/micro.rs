//! The small programs, each of which measures one suite and prints a record for each participant.

pub(super) mod counts;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use indicatif::ProgressBar;
use serde_json::Value;

use super::arguments::{Plan, Suite};
use super::progress;
use super::record::Record;
use crate::report::Failure;

/// Runs the program of a suite to its end; its records are taken as they come, and what came before
/// a failure is kept.
pub(crate) fn run(
    plan: &Plan,
    suite: Suite,
    program: &Path,
    records: &mut Vec<Record>,
) -> Result<(), Failure> {
    let mut command = Command::new(program);
    if plan.is_quick {
        command.arg("--quick");
    }
    if let Some(peers) = &plan.peers {
        command.args(["--peers", &peers.join(",")]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let bar = progress::bar(suite.name(), 0);
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let lines = child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
    let read = take(lines.map_while(Result::ok), &bar, records);
    bar.finish_and_clear();
    if read.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    let status = child.wait()?;
    if status.success() { read } else { Err(format!("{command:?}: {status}").into()) }
}

/// Takes the records in the lines, of which the first says how many there will be.
fn take(
    mut lines: impl Iterator<Item = String>,
    bar: &ProgressBar,
    records: &mut Vec<Record>,
) -> Result<(), Failure> {
    let first: Value = serde_json::from_str(&lines.next().ok_or("it said nothing")?)?;
    let plan = first["plan"].as_u64().ok_or_else(|| format!("no plan in {first}"))?;
    bar.set_length(plan);
    for line in lines {
        let record = Record::read(&serde_json::from_str(&line)?)?;
        bar.set_message(format!("{}: {}", record.case, record.peer));
        bar.inc(1);
        records.push(record);
    }
    if records.len() as u64 != plan {
        return Err(format!("{} of {plan} records came", records.len()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::record::OURS;
    use super::super::record::tests::sample;
    use super::*;

    fn read(lines: &[String], records: &mut Vec<Record>) -> Result<(), Failure> {
        take(lines.iter().cloned(), &ProgressBar::hidden(), records)
    }

    #[test]
    fn records_are_as_many_as_were_planned() {
        let record = sample("lap", Some(2), OURS, 1.0);
        let line = record.json().to_string();
        let plan = |count: usize| format!("{{\"plan\":{count}}}");
        let mut records = Vec::new();
        read(&[plan(1), line.clone()], &mut records).unwrap();
        assert_eq!(records, [sample("lap", Some(2), OURS, 1.0)]);
        records.clear();
        // What came is kept, although more was to come.
        assert!(read(&[plan(2), line.clone()], &mut records).is_err());
        assert_eq!(records, [record]);
        for bad in
            [vec![], vec![line.clone()], vec![plan(0), line], vec![plan(1), "nothing".into()]]
        {
            assert!(read(&bad, &mut Vec::new()).is_err(), "{bad:?}");
        }
    }
}
