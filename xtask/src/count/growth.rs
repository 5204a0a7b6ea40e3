//! Whether a workload costs more than it did when it was recorded.

use super::Row;
use super::figures::{Figures, Machine};
use super::measure::{self, Programs};
use crate::report::{Failure, Report};

/// By what part of itself a figure may change.
const ALLOWED: f64 = 0.05;

/// How the figures are recorded.
const RECORD: &str = "cargo xtask count --record";

/// Counts everything, and fails where it has grown since it was recorded. On a machine where other
/// counts are to be expected it only prints them.
pub(crate) fn run(report: &mut Report) {
    let read = || Ok((Figures::read()?, Machine::here()?));
    let Some((figures, here)) = report.value("read the recorded counts", read) else { return };
    let difference = here.differs(&figures.machine);
    let rows = measure::run(report, &mut Programs::default(), |row| match difference {
        None => judge(&figures, row).map(drop),
        Some(_) => Ok(()),
    });
    print!("{}", table(&figures, &rows));
    if let Some(difference) = difference {
        println!("recorded on another machine, so nothing is held: {difference}");
        return;
    }
    for advice in rows.iter().filter_map(|row| judge(&figures, row).ok()?) {
        println!("{advice}");
    }
}

/// Counts everything and keeps it.
pub(crate) fn record(report: &mut Report) {
    let rows = measure::run(report, &mut Programs::default(), super::within);
    report.step("record the counts", || {
        let counted = rows.len();
        let expected = measure::names().len();
        if counted < expected {
            return Err(format!("{counted} of {expected} were counted: nothing is written").into());
        }
        Figures::new(Machine::here()?, &rows).write()
    });
}

/// Whether a row may be what it is; with a line of advice if it may and is worth a word.
///
/// # Errors
///
/// It has grown, or was never recorded.
fn judge(figures: &Figures, row: &Row) -> Result<Option<String>, Failure> {
    let Row { name, value: new, unit, .. } = row;
    let Some(&old) = figures.values.get(name) else {
        return Err(format!("{name}: {new:.2} {unit}, never recorded; {RECORD} does it").into());
    };
    let told = format!("{name}: {new:.2} {unit}, recorded {old:.2}");
    if *new > old * (1.0 + ALLOWED) {
        return Err(format!("{told}: grown by more than {:.0}%", ALLOWED * 100.0).into());
    }
    let shrunk = *new < old * (1.0 - ALLOWED);
    Ok(shrunk.then(|| format!("{told}: please record anew, with {RECORD}")))
}

/// Each row beside what was recorded.
fn table(figures: &Figures, rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let line = |row: &Row| {
        let Row { name, value, unit, .. } = row;
        let old = figures.values.get(name).map_or("none".to_owned(), |old| format!("{old:.2}"));
        format!("{name:width$}  {value:>10.2}  recorded {old:>10}  {unit}\n")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Bound;
    use super::*;

    fn row(value: f64) -> Row {
        let (name, unit) = ("hello, instructions".to_owned(), "per request".to_owned());
        Row { name, value, bound: Bound::Known, unit }
    }

    fn figures(rows: &[Row]) -> Figures {
        let [rustc, libc, processor] = ["1.95.0", "2.36", "one"].map(str::to_owned);
        Figures::new(Machine { rustc, libc, processor }, rows)
    }

    fn judged(old: f64, new: f64) -> Result<Option<String>, String> {
        judge(&figures(&[row(old)]), &row(new)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn growth_over_the_limit_is_a_failure_that_names_old_and_new() {
        assert_eq!(judged(200.0, 210.0), Ok(None));
        let failure =
            "hello, instructions: 210.10 per request, recorded 200.00: grown by more than 5%";
        assert_eq!(judged(200.0, 210.1), Err(failure.to_owned()));
    }

    #[test]
    fn what_has_shrunk_is_to_be_recorded_anew() {
        assert_eq!(judged(200.0, 190.0), Ok(None));
        let advice = judged(200.0, 189.9).unwrap().unwrap();
        assert!(advice.starts_with("hello, instructions: 189.90 per request, recorded 200.00"));
        assert!(advice.ends_with(RECORD), "{advice}");
    }

    #[test]
    fn what_was_never_recorded_is_a_failure() {
        let failure = judge(&figures(&[]), &row(1.0)).unwrap_err().to_string();
        assert!(failure.contains("never recorded"), "{failure}");
        let line = table(&figures(&[]), &[row(1.0)]);
        assert_eq!(line, "hello, instructions        1.00  recorded       none  per request\n");
    }
}
