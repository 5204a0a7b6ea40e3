//! Servers beside each other: their processor time, their answers' latency, what they ask of the
//! system, and their memory.

mod contest;
mod counts;
mod descriptors;
mod held;
mod load;
mod scaling;
mod scenario;
mod start;
mod wrk;

use std::path::Path;

use super::arguments::Plan;
use super::peers::Participant;
use super::record::Record;
use crate::processors;
use crate::report::Report;

/// What everything here is done with.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) plan: &'a Plan,
    pub(super) participants: &'a [Participant],
    /// The load generator.
    pub(super) load: &'a Path,
    pub(super) place: Place,
}

/// On which processors servers and load run.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) server: usize,
    pub(super) load: usize,
    allowed: Vec<usize>,
}

/// What all records of this part are of.
const SUITE: &str = "net";

/// Rounds that give an interval of about 95% for the median.
const ROUNDS: usize = 20;

/// The fewest that give one.
const QUICK_ROUNDS: usize = 6;

/// Measures what the plan wants, and returns all records of it.
pub(super) fn run(report: &mut Report, field: &Field<'_>) -> Vec<Record> {
    let mut records = Vec::new();
    for scenario in scenario::all(field.plan) {
        records.extend(scenario.run(report, field));
    }
    if !field.plan.is_quick {
        records.extend(wrk::run(report, field));
    }
    if let Some(threads) = field.plan.threads {
        records.extend(scaling::run(report, field, threads));
    }
    records.extend(counts::run(report, field));
    if !field.plan.is_quick {
        records.extend(held::run(report, field));
    }
    records
}

impl Field<'_> {
    fn rounds(&self) -> usize {
        if self.plan.is_quick { QUICK_ROUNDS } else { ROUNDS }
    }
}

impl Place {
    /// A server's processor and the load's, which are the same where there is only one.
    pub(super) fn find() -> Place {
        let allowed = processors::allowed();
        Place { server: allowed[0], load: allowed[1.min(allowed.len() - 1)], allowed }
    }

    /// For the reader of the report.
    pub(super) fn description(&self, threads: Option<usize>) -> String {
        let mut text = format!("servers on {}, load on {}", self.server, self.load);
        if let Some(threads) = threads {
            let (servers, load) = self.shared(threads);
            text += &format!("; with {threads} threads servers on {servers:?}, load on {load}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_who_runs_where() {
        let place = Place { server: 0, load: 1, allowed: vec![0, 1] };
        assert_eq!(place.description(None), "servers on 0, load on 1");
        let threaded = "servers on 0, load on 1; with 2 threads servers on [0, 1], load on 1";
        assert_eq!(place.description(Some(2)), threaded);
    }
}
