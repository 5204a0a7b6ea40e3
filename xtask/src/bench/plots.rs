//! Pictures: bars with their spread, and curves where something grows.

mod bars;
mod curves;

use std::fs;
use std::path::Path;

use super::document::Plot;
use super::record::{OURS, Record};
use super::sheet::whole;
use crate::report::Failure;

const WIDTH: u32 = 900;
const FONT: &str = "sans-serif";

/// Draws whatever the records can show into the folder.
pub(crate) fn draw(folder: &Path, records: &[Record]) -> Result<Vec<Plot>, Failure> {
    let mut plots = Vec::new();
    let mut rest: Vec<&Record> =
        records.iter().filter(|record| record.grows || is_first_figure(record, records)).collect();
    while let Some(first) = rest.first().copied() {
        let belongs = |record: &&Record| is_in_one_plot(first, record);
        let (group, others): (Vec<&Record>, Vec<&Record>) = rest.into_iter().partition(belongs);
        rest = others;
        if let Some((title, svg)) = picture(&group)? {
            let file = format!("{}.svg", slug(&title));
            fs::write(folder.join(&file), svg)?;
            plots.push(Plot { suite: first.suite.clone(), case: first.case.clone(), title, file });
        }
    }
    Ok(plots)
}

/// Of a case that has several figures, bars show the one that comes first in its table.
fn is_first_figure(record: &Record, records: &[Record]) -> bool {
    let is_of_case = |other: &&Record| (&record.suite, &record.case) == (&other.suite, &other.case);
    records.iter().find(is_of_case).is_some_and(|first| first.metric == record.metric)
}

/// A curve shows one figure at all sizes, bars show it at one.
fn is_in_one_plot(first: &Record, other: &Record) -> bool {
    if !first.grows {
        return first.is_beside(other);
    }
    let key = |record: &Record| {
        let Record { suite, case, metric, unit, grows, .. } = record.clone();
        (suite, case, metric, unit, grows)
    };
    key(first) == key(other)
}

/// The picture with its title; none where there is nothing to compare.
fn picture(group: &[&Record]) -> Result<Option<(String, String)>, Failure> {
    let first = group[0];
    let Record { suite, case, metric, .. } = first;
    if first.grows {
        let title = format!("{suite}: {case}, {metric}");
        let svg = curves::draw(group, &title)?;
        return Ok(svg.map(|svg| (title, svg)));
    }
    // A figure that was taken once has no spread, and stands in the table.
    if group.len() < 2 || group.iter().any(|record| record.samples.len() < 2) {
        return Ok(None);
    }
    let size = first.size.as_ref();
    let size = size.map(|(parameter, size)| format!(", {} {parameter}", whole(*size)));
    let title = format!("{suite}: {case}{}, {metric}", size.unwrap_or_default());
    let svg = bars::draw(group, &title)?;
    Ok(Some((title, svg)))
}

/// The name of a file: small letters and digits, with a hyphen for all else.
fn slug(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join("-")
}

fn is_ours(peer: &str) -> bool {
    peer.split(' ').next() == Some(OURS)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::sample;
    use super::*;

    fn grown(size: u64, peer: &str, value: f64) -> Record {
        Record { grows: true, ..sample("spawn", Some(size), peer, value) }
    }

    fn drawn(records: &[Record]) -> Vec<(String, String)> {
        let folder = crate::http::Folder::new().unwrap();
        let plots = draw(&folder.path(""), records).unwrap();
        let text = |plot: Plot| {
            let text = fs::read_to_string(folder.path(&plot.file)).unwrap();
            (plot.file, text)
        };
        plots.into_iter().map(text).collect()
    }

    #[test]
    fn bars_and_curves_are_drawn_where_there_is_something_to_compare() {
        let records = [
            sample("lap", Some(2), OURS, 10.0),
            sample("lap", Some(2), "tokio", 40.0),
            sample("lap", Some(1000), OURS, 20.0),
            Record { samples: vec![1.0], ..sample("once", None, OURS, 1.0) },
            Record { samples: vec![1.0], ..sample("once", None, "tokio", 1.0) },
            grown(100, OURS, 5.0),
            grown(10_000, OURS, 500.0),
            grown(100, "tokio", 50.0),
        ];
        let plots = drawn(&records);
        let files: Vec<&str> = plots.iter().map(|(file, _)| &**file).collect();
        assert_eq!(files, ["sched-lap-2-tasks-cpu.svg", "sched-spawn-cpu.svg"]);
        let (bars, curves) = (&plots[0].1, &plots[1].1);
        for text in ["tokio", "ours", "ns/step", "40.0", "sched: lap, 2 tasks, cpu"] {
            assert!(bars.contains(text), "{text} in {bars}");
        }
        for text in ["ours, slope 1.00", "tokio\n", "10,000", "tasks"] {
            assert!(curves.contains(text), "{text} in {curves}");
        }
    }

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(slug("net: echo, 64 bytes"), "net-echo-64-bytes");
    }
}
