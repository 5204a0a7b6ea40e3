//! What is counted: fixed pieces of work, and what each may cost.

use super::Bound::{self, AtMost, Known};
use super::tools::Kind;
use crate::load::{self, Dialogue};

/// A piece of work that is the same in every run.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) program: Program,
    pub(super) arguments: Vec<&'static str>,
    pub(super) work: Work,
    /// Units of work in a round; of a server, the clients that ask.
    pub(super) units: u64,
    /// The rounds of the two runs whose difference is taken.
    pub(super) rounds: (u64, u64),
    pub(super) counts: Counts,
}

/// Who makes the rounds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// The program itself; their number is its last argument.
    Alone,
    /// Clients of a server.
    Served(Dialogue, Manner),
}

/// How clients come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// The same make all rounds.
    Kept,
    /// Each round is made by new ones, and the old ones close.
    Churn,
}

/// A program of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Example {
        package: &'static str,
        name: &'static str,
    },
    /// One that net ships.
    Shipped(&'static str),
}

/// Counts to a number in several ways.
const GENERATORS: Program = Program::Example { package: "gen", name: "count" };
/// Steps many tasks.
pub(super) const LAPS: Program = Program::Example { package: "sched", name: "laps" };
pub(super) const HELLO: Program = Program::Shipped("hello");
/// Waits, and registers.
const WAITS: Program = Program::Example { package: "poll", name: "waits" };

/// A counter written by hand, and the generator that is to cost the same once it is inlined.
pub(super) const BY_HAND: &str = "count, by hand";
pub(super) const INLINED: &str = "generator, inlined";

/// What is counted, and what it is held to.
type Counts = &'static [(Kind, Bound)];

/// Every workload, from the lowest crate up.
pub(super) fn all() -> Vec<Workload> {
    let mut all = Vec::from(generators());
    all.extend(tasks());
    all.extend(waits());
    all.extend(servers());
    all
}

fn generators() -> [Workload; 3] {
    let resume = |name: &str, way, counts| Workload {
        name: name.to_owned(),
        unit: "resume",
        program: GENERATORS,
        arguments: vec![way],
        work: Work::Alone,
        units: 1,
        rounds: (1_000, 101_000),
        counts,
    };
    [
        resume(BY_HAND, "enum", INSTRUCTIONS),
        resume(INLINED, "gen", INSTRUCTIONS),
        // With a value sent.
        resume("generator, behind dyn", "dyn-gen", &[(Kind::Instructions, AtMost(53.0))]),
    ]
}

fn tasks() -> [Workload; 3] {
    let turns = |name: &str, unit, what, counts| Workload {
        name: name.to_owned(),
        unit,
        program: LAPS,
        arguments: vec![what, "1000"],
        work: Work::Alone,
        units: 1_000,
        rounds: (10, 110),
        counts,
    };
    [
        // The wake that queues the task again included; 89 when this was set.
        turns("scheduler", "step", "sched", &[(Kind::Instructions, AtMost(110.0))]),
        turns("scheduler, spawn and join", "task", "join", INSTRUCTIONS),
        turns("scheduler, wake", "wake", "wake", INSTRUCTIONS),
    ]
}

fn waits() -> impl Iterator<Item = Workload> {
    // One system call, save where the `polling` crate makes it.
    let backends = [("epoll", WAIT), ("poll", WAIT), ("select", WAIT), ("native", BOTH)];
    backends.into_iter().flat_map(|(backend, wait)| {
        let of = |name: &str, what, unit, rounds, counts| Workload {
            name: format!("{backend}, {name}"),
            unit,
            program: WAITS,
            arguments: vec![backend, what],
            work: Work::Alone,
            units: 1,
            rounds,
            counts,
        };
        [
            of("idle", "idle", "wait", (100, 2_100), wait),
            of("100 ready of 1,000", "ready", "wait", (10, 310), wait),
            of("register and unregister", "register", "pair", (100, 2_100), BOTH),
        ]
    })
}

fn servers() -> [Workload; 6] {
    let served = |line: &'static str, unit, work, counts| {
        let mut words = line.split(' ');
        Workload {
            name: line.to_owned(),
            unit,
            program: Program::Shipped(words.next().unwrap_or_default()),
            arguments: words.collect(),
            work,
            units: 50,
            rounds: (10, 410),
            counts,
        }
    };
    let kept = |line, dialogue, counts| {
        served(line, "request", Work::Served(dialogue, Manner::Kept), counts)
    };
    let churn = |name: &str, units, rounds, counts| {
        let hello = served("hello", "connection", Work::Served(load::HELLO, Manner::Churn), counts);
        Workload { name: name.to_owned(), units, rounds, ..hello }
    };
    [
        kept("hello", load::HELLO, REQUEST),
        kept("echo", load::ECHO, REQUEST),
        // So long that no limit passes meanwhile.
        kept("hello --idle-timeout 3600", load::HELLO, REQUEST),
        kept("hello --http", load::HTTP, HTTP_REQUEST),
        churn("hello, churn", 50, (10, 110), CONNECTION),
        // Nobody to share with: each has an accept4 that finds no more, a wait for the request, and
        // one for its end and the next connection.
        churn("hello, churn, one at a time", 1, (10, 510), BOTH),
    ]
}

const INSTRUCTIONS: Counts = &[(Kind::Instructions, Known)];
const BOTH: Counts = &[(Kind::Instructions, Known), (Kind::Calls, Known)];
/// A wait is one system call.
const WAIT: Counts = &[(Kind::Instructions, Known), (Kind::Calls, AtMost(1.0))];
/// User-mode instructions of the whole server process; and one recv, one send, a share of one wait.
const REQUEST: Counts = &[(Kind::Instructions, AtMost(275.0)), (Kind::Calls, AtMost(2.2))];
/// Half of the instructions parse the request.
const HTTP_REQUEST: Counts = &[(Kind::Instructions, AtMost(1_500.0)), (Kind::Calls, AtMost(2.2))];
/// One accept4, epoll_ctl, recv, send, recv that finds the end, and close; a share of the waits, and
/// of the accept4 that finds no more.
const CONNECTION: Counts = &[(Kind::Instructions, Known), (Kind::Calls, AtMost(8.0))];
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_workload_has_a_name_of_its_own_and_is_counted() {
        let all = all();
        let names: BTreeSet<&str> = all.iter().map(|workload| workload.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.contains(BY_HAND) && names.contains(INLINED));
        for workload in &all {
            assert!(workload.rounds.0 < workload.rounds.1 && !workload.counts.is_empty());
        }
    }
}
