//! Rounds in which everybody has a turn.

use indicatif::ProgressBar;

use super::{Field, SUITE};
use crate::bench::peers::{Participant, Service};
use crate::bench::progress;
use crate::bench::record::{OURS, Record};
use crate::report::{Failure, Report};

/// Somebody who has a turn in each round.
#[derive(Debug)]
pub(super) struct Contestant<'a> {
    pub(super) participant: &'a Participant,
    /// Its own, with a word behind it if it is there a second time.
    pub(super) name: String,
    pub(super) threads: usize,
}

/// What is measured in each turn, and where that stands in the tables.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) size: Option<(&'static str, u64)>,
    pub(super) grows: bool,
}

/// One number of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) metric: &'static str,
    pub(super) unit: String,
    pub(super) value: f64,
}

/// Everybody who has the service, and a second time ours and whom the others are divided by: what
/// differs between the two is noise.
pub(super) fn contestants<'a>(field: &Field<'a>, service: Service) -> Vec<Contestant<'a>> {
    let mut contestants = Vec::new();
    for participant in field.participants.iter().filter(|one| one.serves(service)) {
        let name = participant.peer.name;
        contestants.push(Contestant { participant, name: name.to_owned(), threads: 1 });
        if name == OURS || participant.peer.is_base {
            contestants.push(Contestant { participant, name: format!("{name} again"), threads: 1 });
        }
    }
    contestants
}

impl Contestant<'_> {
    /// Whether it is there a second time, for the sake of the noise.
    pub(super) fn is_second(&self) -> bool {
        self.name != self.participant.peer.name
    }
}

impl Case {
    pub(super) fn record(&self, contestant: &Contestant<'_>, figure: &Figure) -> Record {
        Record {
            suite: SUITE.to_owned(),
            case: self.name.clone(),
            size: self.size.map(|(parameter, size)| (parameter.to_owned(), size)),
            peer: contestant.name.clone(),
            metric: figure.metric.to_owned(),
            unit: figure.unit.clone(),
            is_base: contestant.participant.peer.is_base && !contestant.is_second(),
            grows: self.grows,
            samples: vec![figure.value],
        }
    }

    /// As a step is called.
    pub(super) fn title(&self) -> String {
        match self.size {
            Some((parameter, size)) => format!("{SUITE}: {}, {size} {parameter}", self.name),
            None => format!("{SUITE}: {}", self.name),
        }
    }
}

/// Has everybody take a turn in each round. Whoever fails takes no further turn, and is a failed step.
pub(super) fn hold(
    report: &mut Report,
    title: &str,
    case_of: impl Fn(&Contestant<'_>) -> Case,
    contestants: &[Contestant<'_>],
    rounds: usize,
    turn: impl FnMut(&Contestant<'_>) -> Result<Vec<Figure>, Failure>,
) -> Vec<Record> {
    if contestants.is_empty() {
        return Vec::new();
    }
    let bar = progress::bar(SUITE, (rounds * contestants.len()) as u64);
    bar.set_message(title.to_owned());
    let held = report.value_of_shown(title, || {
        let outcomes = in_rounds(contestants, rounds, &bar, turn);
        bar.finish_and_clear();
        Ok(outcomes)
    });
    let mut records = Vec::new();
    for (contestant, outcome) in contestants.iter().zip(held.into_iter().flatten()) {
        match outcome {
            Ok(turns) => records.extend(gather(&case_of(contestant), contestant, &turns)),
            Err(failure) => report.step(&format!("{title}: {}", contestant.name), || Err(failure)),
        }
    }
    records
}

/// The figures of all rounds, or why there are none, for each contestant.
fn in_rounds(
    contestants: &[Contestant<'_>],
    rounds: usize,
    bar: &ProgressBar,
    mut turn: impl FnMut(&Contestant<'_>) -> Result<Vec<Figure>, Failure>,
) -> Vec<Result<Vec<Vec<Figure>>, Failure>> {
    let mut outcomes: Vec<Result<Vec<Vec<Figure>>, Failure>> =
        contestants.iter().map(|_| Ok(Vec::with_capacity(rounds))).collect();
    for round in 0..rounds {
        for at in order(round, contestants.len()) {
            if let Ok(turns) = &mut outcomes[at] {
                match turn(&contestants[at]) {
                    Ok(figures) => turns.push(figures),
                    Err(failure) => outcomes[at] = Err(failure),
                }
            }
            bar.inc(1);
        }
    }
    outcomes
}

/// The order of a round: everybody once. Who begins and who comes after whom changes from round to
/// round, because a processor remembers for a while what ran before.
fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    let strides: Vec<usize> =
        (1..count.max(2)).filter(|stride| divisor(*stride, count) == 1).collect();
    let stride = strides[round % strides.len()];
    (0..count).map(move |at| (round + at * stride) % count)
}

/// The greatest that divides both.
fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// A record for each figure, with the samples of all turns.
fn gather(case: &Case, contestant: &Contestant<'_>, turns: &[Vec<Figure>]) -> Vec<Record> {
    let first = turns.first().map_or(&[][..], Vec::as_slice);
    let mut records: Vec<Record> =
        first.iter().map(|figure| case.record(contestant, figure)).collect();
    for turn in &turns[1.min(turns.len())..] {
        for (record, figure) in records.iter_mut().zip(turn) {
            record.samples.push(figure.value);
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::PEERS;

    fn participant(name: &str) -> Participant {
        let peer = PEERS.iter().find(|peer| peer.name == name).unwrap();
        let lines = vec![(Service::Hello, vec!["server".into()])];
        Participant { peer, lines, version: None }
    }

    fn names(participants: &[Participant], service: Service) -> Vec<String> {
        let plan = crate::bench::arguments::Plan::default();
        let load = std::path::Path::new("load");
        let field = Field { plan: &plan, participants, load, place: super::super::Place::find() };
        contestants(&field, service).into_iter().map(|contestant| contestant.name).collect()
    }

    #[test]
    fn ours_and_the_base_are_there_twice() {
        let participants = ["ours", "raw", "mio"].map(participant);
        let expected = ["ours", "ours again", "raw", "raw again", "mio"];
        assert_eq!(names(&participants, Service::Hello), expected);
        assert!(names(&participants, Service::Http).is_empty());
    }

    #[test]
    fn everybody_has_one_turn_in_a_round_and_other_neighbours_in_the_next() {
        for count in 1..15 {
            for round in 0..20 {
                let mut turns: Vec<usize> = order(round, count).collect();
                turns.sort_unstable();
                assert_eq!(turns, (0..count).collect::<Vec<_>>());
            }
        }
        let after = |round: usize, who: usize| {
            let turns: Vec<usize> = order(round, 5).collect();
            turns.iter().skip_while(|turn| **turn != who).nth(1).copied()
        };
        let mut neighbours: Vec<_> = (0..20).filter_map(|round| after(round, 0)).collect();
        neighbours.sort_unstable();
        neighbours.dedup();
        assert_eq!(neighbours, [1, 2, 3, 4]);
    }

    #[test]
    fn who_fails_takes_no_further_turn() {
        let participants = ["ours", "mio"].map(participant);
        let contestants: Vec<Contestant<'_>> = participants
            .iter()
            .map(|one| Contestant { participant: one, name: one.peer.name.into(), threads: 1 })
            .collect();
        let mut turns = Vec::new();
        let outcomes = in_rounds(&contestants, 3, &ProgressBar::hidden(), |contestant| {
            turns.push(contestant.name.clone());
            if contestant.name == "mio" {
                return Err("it is gone".into());
            }
            Ok(vec![Figure { metric: "cpu", unit: "µs".into(), value: turns.len() as f64 }])
        });
        assert_eq!(turns.iter().filter(|name| *name == "mio").count(), 1);
        assert!(outcomes[1].is_err());
        let case = Case { name: "hello".into(), size: Some(("connections", 50)), grows: false };
        let records = gather(&case, &contestants[0], outcomes[0].as_ref().unwrap());
        assert_eq!((records.len(), records[0].samples.len()), (1, 3));
        assert_eq!(case.title(), "net: hello, 50 connections");
    }
}
