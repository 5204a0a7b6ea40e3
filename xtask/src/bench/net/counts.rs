//! What a request takes in system calls and in instructions: the difference of two runs in lock-step.

use super::Field;
use super::contest::{self, Contestant, Figure, contestants};
use super::load;
use super::scenario::{CHURN, ECHO, HELLO, Scenario};
use crate::bench::record::Record;
use crate::count::per_unit;
use crate::count::tools::{Counter, Kind};
use crate::processors;
use crate::report::{Failure, Report};
use crate::server::Server;
use crate::tool::Tool;

/// Rounds of the two runs. strace makes each call many times as long, valgrind all the rest.
const CALLS: [u64; 2] = [20, 220];
const INSTRUCTIONS: [u64; 2] = [100, 1_100];

/// Counts are the same in each run: one is enough.
const ROUNDS: usize = 1;

pub(super) fn run(report: &mut Report, field: &Field<'_>) -> Vec<Record> {
    let mut records = Vec::new();
    let (calls, instructions): (&[Scenario], &[Scenario]) =
        if field.plan.is_quick { (&[HELLO], &[]) } else { (&[HELLO, ECHO, CHURN], &[HELLO, ECHO]) };
    if report.has(Tool::Strace, "net: system calls") {
        for scenario in calls {
            records.extend(count(report, field, scenario, Kind::Calls));
        }
    }
    if !instructions.is_empty() && report.has(Tool::Valgrind, "net: instructions") {
        for scenario in instructions {
            records.extend(count(report, field, scenario, Kind::Instructions));
        }
    }
    records
}

fn count(report: &mut Report, field: &Field<'_>, scenario: &Scenario, kind: Kind) -> Vec<Record> {
    let mut contestants = contestants(field, scenario.service);
    contestants.retain(|contestant| {
        let is_native = contestant.participant.peer.is_native;
        !contestant.is_second() && (is_native || matches!(kind, Kind::Calls))
    });
    let (metric, rounds) = match kind {
        Kind::Calls => (kind.name(), CALLS),
        Kind::Instructions => (kind.name(), INSTRUCTIONS),
    };
    let unit = format!("per {}", scenario.noun);
    let title = format!("{}, {metric}", scenario.name().title());
    contest::hold(
        report,
        &title,
        |_| scenario.name(),
        &contestants,
        ROUNDS,
        |contestant| {
            let run = |rounds| counted(field, contestant, scenario, kind, rounds);
            let value = per_unit(run(rounds[0])?, run(rounds[1])?);
            Ok(vec![Figure { metric, unit: unit.clone(), value }])
        },
    )
}

/// The units of work and the count of one run of the server. Both sides share a processor, so that
/// each round is found in as few waits as possible, and in as many each time.
fn counted(
    field: &Field<'_>,
    contestant: &Contestant<'_>,
    scenario: &Scenario,
    kind: Kind,
    rounds: u64,
) -> Result<(u64, u64), Failure> {
    let command = contestant.participant.command(scenario.service, contestant.threads);
    let command = command.ok_or("it has no such service")?;
    let counter = Counter::new(kind)?;
    let mut traced = counter.command(command.get_program().as_ref());
    traced.args(command.get_args());
    let processor = field.place.server;
    let server = Server::start(processors::on(&[processor], &traced))?;
    let units = load::rounds(field.load, processor, server.address(), &scenario.load, rounds)?;
    // Most end by the signal itself, and the count is written all the same.
    server.terminate()?;
    Ok((units, counter.count()?))
}
