//! The command line.

use std::error::Error;
use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

use crate::OURS;

/// What the program is to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Order {
    Measure(Plan),
    /// One turn, whose figure is printed.
    Sample(Turn),
    /// One turn under an instruction counter.
    Count(Turn),
}

/// How much is measured.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Fewer sizes and rounds.
    pub quick: bool,
    /// First words of the names of those who are wanted beside ours; everybody if there is no list.
    pub peers: Option<Vec<String>>,
    /// How often everybody has a turn.
    pub rounds: Option<usize>,
}

/// One peer's doing of one case.
#[derive(Debug, PartialEq)]
pub struct Turn {
    pub case: String,
    pub peer: String,
    /// 0 where nothing grows.
    pub size: u64,
    pub iterations: u64,
}

/// Rounds that give an interval of about 95% for the median.
const ROUNDS: usize = 20;

/// The fewest that give one.
const QUICK_ROUNDS: usize = 6;

pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Order, Box<dyn Error>> {
    let mut parser = Parser::from_args(arguments);
    let mut plan = Plan::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("quick") => plan.quick = true,
            Arg::Long("peers") => plan.peers = Some(list(&parser.value()?.string()?)),
            Arg::Long("rounds") => plan.rounds = Some(parser.value()?.parse()?),
            Arg::Long("sample") => return Ok(Order::Sample(turn(&mut parser)?)),
            Arg::Long("count") => return Ok(Order::Count(turn(&mut parser)?)),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Order::Measure(plan))
}

fn turn(parser: &mut Parser) -> Result<Turn, lexopt::Error> {
    Ok(Turn {
        case: parser.value()?.string()?,
        peer: parser.value()?.string()?,
        size: parser.value()?.parse()?,
        iterations: parser.value()?.parse()?,
    })
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_lowercase()).collect()
}

impl Plan {
    /// Whether the peer is to be measured: ours always is.
    pub(crate) fn wants(&self, peer: &str) -> bool {
        let word = |name: &str| name.split(' ').next().unwrap_or_default().to_lowercase();
        let listed = |list: &Vec<String>| list.contains(&word(peer));
        word(peer) == OURS || self.peers.as_ref().is_none_or(listed)
    }

    /// How many rounds, where `most` are enough.
    pub(crate) fn rounds(&self, most: usize) -> usize {
        let usual = if self.quick { QUICK_ROUNDS } else { ROUNDS };
        self.rounds.unwrap_or(usual.min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Order, String> {
        parse(line.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_is_read() {
        let Ok(Order::Measure(plan)) = parsed(&["--quick", "--peers", "tokio, mio"]) else {
            panic!("this is a plan");
        };
        assert!(plan.quick && plan.wants("tokio") && plan.wants("Tokio LocalSet"));
        assert!(plan.wants("ours") && plan.wants("ours again") && !plan.wants("async-io"));
        assert_eq!((plan.rounds(20), plan.rounds(5)), (6, 5));
    }

    #[test]
    fn rounds_that_are_asked_for_are_made() {
        let Ok(Order::Measure(plan)) = parsed(&["--rounds", "30"]) else {
            panic!("this is a plan");
        };
        assert_eq!(plan.rounds(5), 30);
        assert!(plan.wants("anybody"));
    }

    #[test]
    fn a_turn_is_read() {
        let turn = Turn { case: "lap".into(), peer: "ours".into(), size: 2, iterations: 10 };
        assert_eq!(parsed(&["--count", "lap", "ours", "2", "10"]), Ok(Order::Count(turn)));
        assert!(parsed(&["--count", "lap", "ours", "2"]).is_err());
        assert!(parsed(&["--slow"]).is_err());
    }
}
