//! The numbers that are held while building: instructions, system calls and memory, against limits.
//!
//! Times on a shared machine are noise; these repeat. Each is the difference of two runs of unequal
//! length, so that starting and ending cost nothing. What is timed all the same, beside a peer in the
//! same minute, is printed and fails nothing.

pub(crate) mod figures;
pub(crate) mod growth;
pub(crate) mod idle;
mod lockstep;
mod measure;
mod ratio;
pub(crate) mod tools;
mod workloads;

use crate::report::{Failure, Report};
use measure::Programs;

/// What was counted, and how much of it is allowed.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    value: f64,
    bound: Bound,
    unit: String,
}

/// What a value is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtMost(f64),
    /// What it was aimed at; printed only, because it comes from times.
    Aim(f64),
    /// No limit of its own: it may not grow, which is checked elsewhere.
    Known,
}

/// Counts everything and prints the table.
pub(crate) fn run(report: &mut Report) {
    let mut programs = Programs::default();
    let rows = measure::run(report, &mut programs, within);
    let mut table = Table { report, rows };
    beyond_enum(&mut table);
    if let Some(laps) = programs.find(table.report, workloads::LAPS) {
        ratio::run(&mut table, &laps);
    }
    if let Some(hello) = programs.find(table.report, workloads::HELLO) {
        idle::run(&mut table, &hello);
    }
    print!("{}", text(&table.rows));
}

/// A generator that is inlined costs what a state machine written by hand does; the difference of
/// the two runs leaves this much to chance.
const BEYOND_ENUM: f64 = 0.5;

fn beyond_enum(table: &mut Table<'_>) {
    let value = |way: &str| {
        let name = format!("{way}, instructions");
        table.rows.iter().find(|row| row.name == name).map(|row| row.value)
    };
    let (inlined, by_hand) = (value(workloads::INLINED), value(workloads::BY_HAND));
    if let Some((inlined, by_hand)) = inlined.zip(by_hand) {
        let name = "generator, beyond the enum";
        table.row(name, BEYOND_ENUM, "instructions per resume", || Ok(inlined - by_hand));
    }
}

/// Whether a row keeps its limit.
fn within(row: &Row) -> Result<(), Failure> {
    over(row.value, row.bound).map_or(Ok(()), |failure| Err(failure.into()))
}

/// Takes a step for each row.
struct Table<'a> {
    report: &'a mut Report,
    rows: Vec<Row>,
}

impl Table<'_> {
    /// Counts, notes the row, and fails over the limit.
    fn row(
        &mut self,
        name: &str,
        limit: f64,
        unit: &str,
        count: impl FnOnce() -> Result<f64, Failure>,
    ) -> Option<f64> {
        self.bounded(name, Bound::AtMost(limit), unit, count)
    }

    /// Notes a row that fails only if there is no value.
    fn printed(
        &mut self,
        name: &str,
        aim: f64,
        unit: &str,
        time: impl FnOnce() -> Result<f64, Failure>,
    ) -> Option<f64> {
        self.bounded(name, Bound::Aim(aim), unit, time)
    }

    fn bounded(
        &mut self,
        name: &str,
        bound: Bound,
        unit: &str,
        count: impl FnOnce() -> Result<f64, Failure>,
    ) -> Option<f64> {
        let rows = &mut self.rows;
        self.report.value(name, || {
            let row = Row { name: name.to_owned(), value: count()?, bound, unit: unit.to_owned() };
            let verdict = within(&row).map(|()| row.value);
            rows.push(row);
            verdict
        })
    }
}

fn over(value: f64, bound: Bound) -> Option<String> {
    let Bound::AtMost(limit) = bound else {
        return None;
    };
    (value > limit).then(|| format!("{value:.1} is over the limit of {limit}"))
}

/// What one unit of work costs: the difference of two runs.
pub(crate) fn per_unit(less: (u64, u64), more: (u64, u64)) -> f64 {
    let ((units, cost), (more_units, more_cost)) = (less, more);
    (more_cost as f64 - cost as f64) / (more_units - units) as f64
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let line = |row: &Row| {
        let Row { name, value, bound, unit } = row;
        match bound {
            Bound::AtMost(limit) => {
                format!("{name:width$}  {value:>10.2}  at most {limit:>6}  {unit}\n")
            }
            Bound::Aim(aim) => {
                format!("{name:width$}  {value:>10.2}  at least {aim:>5}  {unit}, printed only\n")
            }
            Bound::Known => format!("{name:width$}  {value:>10.2}  {:14}  {unit}\n", ""),
        }
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_over_its_limit_fails_and_is_still_shown() {
        let mut report = Report::new();
        let mut table = Table { report: &mut report, rows: Vec::new() };
        assert_eq!(table.row("fine", 2.0, "calls", || Ok(2.0)), Some(2.0));
        assert_eq!(table.row("too many", 2.0, "calls", || Ok(2.1)), None);
        assert_eq!(table.row("not counted", 2.0, "calls", || Err("no".into())), None);
        let expected = "fine            2.00  at most      2  calls\n\
                        too many        2.10  at most      2  calls\n";
        assert_eq!(text(&table.rows), expected);
    }

    #[test]
    fn a_value_that_misses_its_aim_is_shown_and_fails_nothing() {
        let mut report = Report::new();
        let mut table = Table { report: &mut report, rows: Vec::new() };
        assert_eq!(table.printed("slow", 3.0, "times", || Ok(1.0)), Some(1.0));
        assert_eq!(text(&table.rows), "slow        1.00  at least     3  times, printed only\n");
        let success = format!("{:?}", std::process::ExitCode::SUCCESS);
        assert_eq!(format!("{:?}", report.finish()), success);
    }

    #[test]
    fn starting_costs_nothing() {
        assert_eq!(per_unit((10, 1000), (110, 1500)), 5.0);
    }
}
