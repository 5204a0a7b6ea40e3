//! What the load generator does to the servers.

use super::contest::{self, Case, Contestant, contestants};
use super::load::{self, Load};
use super::{Field, QUICK_ROUNDS, ROUNDS, descriptors, start};
use crate::bench::arguments::Plan;
use crate::bench::peers::Service;
use crate::bench::record::Record;
use crate::report::Report;

/// One way to ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) case: &'static str,
    pub(super) load: Load,
    pub(super) service: Service,
    /// What one unit of work is called.
    pub(super) noun: &'static str,
    /// At most so many rounds, where each takes long.
    rounds: usize,
}

/// The one that `--quick` measures.
pub(super) const HELLO: Scenario = scenario("hello", "hello", 50, Service::Hello, "request");

pub(super) const ECHO: Scenario = scenario("echo, 64 bytes", "echo", 50, Service::Echo, "request");

pub(super) const CHURN: Scenario =
    scenario("connect, ask, close", "churn", 50, Service::Hello, "connection");

const SCENARIOS: [Scenario; 8] = [
    scenario("hello", "hello", 1, Service::Hello, "request"),
    HELLO,
    scenario("hello", "hello", 1_000, Service::Hello, "request"),
    ECHO,
    scenario("echo, 16 requests at once", "pipeline", 50, Service::Echo, "request"),
    scenario("echo, 64 KiB", "bulk", 4, Service::Echo, "message"),
    CHURN,
    Scenario {
        load: Load { word: "idle", connections: 50, idle: IDLE },
        rounds: QUICK_ROUNDS,
        ..scenario("hello beside 10,000 idle ones", "idle", 50, Service::Hello, "request")
    },
];

/// Connections that are held and say nothing.
const IDLE: usize = 10_000;

const fn scenario(
    case: &'static str,
    word: &'static str,
    connections: usize,
    service: Service,
    noun: &'static str,
) -> Scenario {
    let load = Load { word, connections, idle: 0 };
    Scenario { case, load, service, noun, rounds: ROUNDS }
}

/// The scenarios of the plan.
pub(super) fn all(plan: &Plan) -> Vec<Scenario> {
    if plan.is_quick { vec![HELLO] } else { SCENARIOS.to_vec() }
}

impl Scenario {
    pub(super) fn name(&self) -> Case {
        let size = Some(("connections", self.load.connections as u64));
        Case { name: self.case.to_owned(), size, grows: false }
    }

    pub(super) fn run(&self, report: &mut Report, field: &Field<'_>) -> Vec<Record> {
        let title = self.name().title();
        if let Some(reason) = descriptors::missing(self.load.connections + self.load.idle) {
            report.skip(&title, &reason);
            return Vec::new();
        }
        let contestants = self.contestants(report, field);
        let rounds = field.rounds().min(self.rounds);
        contest::hold(
            report,
            &title,
            |_| self.name(),
            &contestants,
            rounds,
            |contestant| {
                let running = start::start(contestant, self.service, &[field.place.server])?;
                load::slices(field.load, field.place.load, &running, &self.load, self.noun)
            },
        )
    }

    /// Those who can hold so many connections; a line for the others.
    fn contestants<'a>(&self, report: &mut Report, field: &Field<'a>) -> Vec<Contestant<'a>> {
        let mut contestants = contestants(field, self.service);
        contestants.retain(|contestant| {
            let most = contestant.participant.peer.most;
            let fits = self.load.connections + self.load.idle <= most;
            if !fits {
                let name = format!("{}: {}", self.name().title(), contestant.name);
                report.skip(&name, &format!("it holds no more than {most} connections"));
            }
            fits
        });
        contestants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_hello_with_fifty_connections() {
        let quick = Plan { is_quick: true, ..Plan::default() };
        let scenarios = all(&quick);
        assert_eq!(scenarios.len(), 1);
        assert_eq!(scenarios[0].name().title(), "net: hello, 50 connections");
        assert_eq!(all(&Plan::default()).len(), SCENARIOS.len());
    }

    #[test]
    fn only_one_holds_idle_connections() {
        let idle: Vec<&str> = SCENARIOS
            .iter()
            .filter(|scenario| scenario.load.idle > 0)
            .map(|scenario| scenario.load.word)
            .collect();
        assert_eq!(idle, ["idle"]);
    }
}
