//! The numbers that are held while building: instructions, system calls and memory, against limits.
//!
//! Times on a shared machine are noise; these repeat. Each is the difference of two runs of unequal
//! length, so that starting and ending cost nothing. What is timed all the same, beside a peer in the
//! same minute, is printed and fails nothing.

mod hello;
mod programs;
mod ratio;
mod tools;

use crate::report::{Failure, Report};

/// What was counted, and how much of it is allowed.
#[derive(Debug)]
struct Row {
    name: String,
    value: f64,
    bound: Bound,
    unit: &'static str,
}

/// What a value is held to.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    /// What it was aimed at; printed only, because it comes from times.
    Aim(f64),
}

/// Counts everything and prints the table.
pub(crate) fn run(report: &mut Report) {
    let mut table = Table { report, rows: Vec::new() };
    programs::run(&mut table);
    hello::run(&mut table);
    print!("{}", text(&table.rows));
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
        unit: &'static str,
        count: impl FnOnce() -> Result<f64, Failure>,
    ) -> Option<f64> {
        self.bounded(name, Bound::AtMost(limit), unit, count)
    }

    /// Notes a row that fails only if there is no value.
    fn printed(
        &mut self,
        name: &str,
        aim: f64,
        unit: &'static str,
        time: impl FnOnce() -> Result<f64, Failure>,
    ) -> Option<f64> {
        self.bounded(name, Bound::Aim(aim), unit, time)
    }

    fn bounded(
        &mut self,
        name: &str,
        bound: Bound,
        unit: &'static str,
        count: impl FnOnce() -> Result<f64, Failure>,
    ) -> Option<f64> {
        let rows = &mut self.rows;
        self.report.value(name, || {
            let value = count()?;
            rows.push(Row { name: name.to_owned(), value, bound, unit });
            over(value, bound).map_or(Ok(value), |failure| Err(failure.into()))
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
fn per_unit(less: (u64, u64), more: (u64, u64)) -> f64 {
    let ((units, cost), (more_units, more_cost)) = (less, more);
    (more_cost as f64 - cost as f64) / (more_units - units) as f64
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let line = |row: &Row| {
        let Row { name, value, bound, unit } = row;
        match bound {
            Bound::AtMost(limit) => {
                format!("{name:width$}  {value:>10.1}  at most {limit:>6}  {unit}\n")
            }
            Bound::Aim(aim) => {
                format!("{name:width$}  {value:>10.1}  at least {aim:>5}  {unit}, printed only\n")
            }
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
        let expected = "fine             2.0  at most      2  calls\n\
                        too many         2.1  at most      2  calls\n";
        assert_eq!(text(&table.rows), expected);
    }

    #[test]
    fn a_value_that_misses_its_aim_is_shown_and_fails_nothing() {
        let mut report = Report::new();
        let mut table = Table { report: &mut report, rows: Vec::new() };
        assert_eq!(table.printed("slow", 3.0, "times", || Ok(1.0)), Some(1.0));
        assert_eq!(text(&table.rows), "slow         1.0  at least     3  times, printed only\n");
        let success = format!("{:?}", std::process::ExitCode::SUCCESS);
        assert_eq!(format!("{:?}", report.finish()), success);
    }

    #[test]
    fn starting_costs_nothing() {
        assert_eq!(per_unit((10, 1000), (110, 1500)), 5.0);
    }
}
