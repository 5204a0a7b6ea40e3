//! A table for each case: a row for each participant at each size, a column for each figure.

use super::record::{OURS, RAW, Record};
use super::statistics::{Interval, median, quantile, ratios};

/// What one case came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Sheet {
    pub(crate) suite: String,
    pub(crate) case: String,
    /// The heads of the columns; the first ones name the size, where there is one, and the participant.
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// The records as sheets, in the order in which cases, sizes, participants and figures came.
pub(crate) fn sheets(records: &[Record]) -> Vec<Sheet> {
    let cases = distinct(records.iter().map(|record| (&record.suite, &record.case)));
    let of = |suite: &str, case: &str| -> Vec<&Record> {
        records.iter().filter(|record| record.suite == suite && record.case == case).collect()
    };
    cases.into_iter().map(|(suite, case)| sheet(suite, case, &of(suite, case))).collect()
}

fn sheet(suite: &str, case: &str, records: &[&Record]) -> Sheet {
    let parameter = records.iter().find_map(|record| Some(&record.size.as_ref()?.0));
    let figures = distinct(records.iter().map(|record| (&record.metric, &record.unit)));
    let bases = bases(records);
    let mut head: Vec<String> = parameter.into_iter().cloned().collect();
    head.push("peer".into());
    for (at, (metric, unit)) in figures.iter().enumerate() {
        head.push(format!("{metric}, {unit}").trim_end_matches([' ', ',']).to_owned());
        if at == 0 {
            head.extend(bases.iter().map(|base| format!("÷ {base}")));
        }
    }
    let mut rows = distinct(records.iter().map(|record| (size(record), &record.peer)));
    together(&mut rows);
    let rows = rows.into_iter().map(|(size_of_row, peer)| {
        let row: Vec<&Record> = records
            .iter()
            .filter(|record| size(record) == size_of_row && record.peer == *peer)
            .copied()
            .collect();
        let mut cells = Vec::new();
        if parameter.is_some() {
            cells.push(size_of_row.map(whole).unwrap_or_default());
        }
        cells.push(peer.clone());
        for (at, (metric, unit)) in figures.iter().enumerate() {
            let record =
                row.iter().find(|record| (&record.metric, &record.unit) == (*metric, *unit));
            // The spread of the others stands in the JSON: a table is wide enough.
            let show = if at == 0 { figure } else { single };
            cells.push(record.map(|record| show(&record.samples)).unwrap_or_default());
            if at == 0 {
                let over = |base: &&String| record.and_then(|record| ratio(record, base, records));
                cells.extend(bases.iter().map(|base| over(base).unwrap_or_default()));
            }
        }
        cells
    });
    Sheet { suite: suite.to_owned(), case: case.to_owned(), head, rows: rows.collect() }
}

/// Puts what is of one size together, and each second turn behind the first of the same.
fn together(rows: &mut [(Option<u64>, &String)]) {
    let order = rows.to_vec();
    let sizes = distinct(order.iter().map(|(size, _)| *size));
    let place = |size: Option<u64>, name: &str| {
        order.iter().position(|(other, peer)| *other == size && *peer == name)
    };
    rows.sort_by_key(|(size, peer)| {
        let first = peer.strip_suffix(" again").and_then(|first| place(*size, first));
        let at = sizes.iter().position(|other| other == size);
        (at, first.or(place(*size, peer)), first.is_some())
    });
}

/// Whom the others are divided by: the base, what is written by hand, and ours.
fn bases<'a>(records: &[&'a Record]) -> Vec<&'a String> {
    let named =
        records.iter().filter(|record| record.is_base || [RAW, OURS].contains(&&*record.peer));
    let mut bases = distinct(named.map(|record| &record.peer));
    // Ours last, so that the column before it is the one that the project is held to.
    bases.sort_by_key(|base| *base == OURS);
    bases
}

fn size(record: &Record) -> Option<u64> {
    record.size.as_ref().map(|(_, size)| *size)
}

/// The first of each.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// The median with its quartiles, or the one sample.
fn figure(samples: &[f64]) -> String {
    let quartiles = quantile(samples, 0.25).zip(quantile(samples, 0.75));
    match (median(samples), quartiles) {
        (Some(median), Some((low, high))) if samples.len() > 1 => {
            format!("{} ({} to {})", number(median), number(low), number(high))
        }
        _ => single(samples),
    }
}

/// The median alone.
fn single(samples: &[f64]) -> String {
    median(samples).map(number).unwrap_or_default()
}

/// The median of the paired ratios with its interval; nothing for the base itself.
fn ratio(record: &Record, base: &str, records: &[&Record]) -> Option<String> {
    let base = records.iter().find(|other| other.peer == base && other.is_beside(record))?;
    if base.peer == record.peer {
        return None;
    }
    let ratios = ratios(&record.samples, &base.samples);
    let Interval { low, median, high } = Interval::of(&ratios)?;
    Some(if ratios.len() > 1 {
        format!("{median:.3} ({low:.3} to {high:.3})")
    } else {
        format!("{median:.2}")
    })
}

/// Three digits or more, with commas between thousands.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || size >= 100.0 || !value.is_finite() {
        return thousands(&format!("{value:.0}"));
    }
    let decimals = if size >= 10.0 { 1 } else { 2 };
    if size >= 0.1 { format!("{value:.decimals$}") } else { format!("{value:.4}") }
}

/// With commas between thousands.
pub(crate) fn whole(value: u64) -> String {
    thousands(&value.to_string())
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::sample;
    use super::*;

    #[test]
    fn a_case_is_a_table_with_ratios_after_the_first_figure() {
        let memory = Record {
            metric: "memory".into(),
            unit: "bytes/task".into(),
            samples: vec![1234.0],
            ..sample("lap", Some(2), "tokio", 0.0)
        };
        let records = [
            sample("lap", Some(2), OURS, 10.0),
            sample("lap", Some(2), "tokio", 40.0),
            sample("lap", Some(1000), OURS, 20.0),
            memory,
        ];
        let sheets = sheets(&records);
        assert_eq!(sheets.len(), 1);
        let head = ["tasks", "peer", "cpu, ns/step", "÷ ours", "memory, bytes/task"];
        assert_eq!(sheets[0].head, head);
        let rows = [
            ["2", "ours", "10.0 (7.50 to 12.5)", "", ""],
            ["2", "tokio", "40.0 (30.0 to 50.0)", "4.000 (4.000 to 4.000)", "1,234"],
            ["1,000", "ours", "20.0 (15.0 to 25.0)", "", ""],
        ];
        assert_eq!(sheets[0].rows, rows);
    }

    #[test]
    fn a_base_comes_before_ours_and_a_second_turn_is_divided_by_the_first() {
        let raw = sample("hello", None, RAW, 8.0);
        let ours = Record { is_base: false, ..sample("hello", None, OURS, 10.0) };
        let again = sample("hello", None, "raw again", 8.0);
        let mio = sample("hello", None, "mio", 9.0);
        let sheet = &sheets(&[ours, raw, mio, again])[0];
        assert_eq!(sheet.rows[3][0], "mio");
        assert_eq!(sheet.head, ["peer", "cpu, ns/step", "÷ raw", "÷ ours"]);
        assert_eq!(sheet.rows[0][2..], ["1.250 (1.250 to 1.250)", ""]);
        assert_eq!(sheet.rows[1][2..], ["", "0.800 (0.800 to 0.800)"]);
        assert_eq!(sheet.rows[2][2..], ["1.000 (1.000 to 1.000)", "0.800 (0.800 to 0.800)"]);
    }

    #[test]
    fn cases_of_two_suites_are_apart() {
        let other = Record { suite: "gen".into(), ..sample("lap", None, OURS, 1.0) };
        let sheets = sheets(&[sample("lap", None, OURS, 1.0), other]);
        let names: Vec<&str> = sheets.iter().map(|sheet| &*sheet.suite).collect();
        assert_eq!(names, ["sched", "gen"]);
    }

    #[test]
    fn numbers_have_three_digits_and_commas() {
        for (value, text) in [
            (0.0, "0"),
            (0.012345, "0.0123"),
            (0.5, "0.50"),
            (9.876, "9.88"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234567.8, "1,234,568"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
