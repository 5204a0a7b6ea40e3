//! The command line of `cargo xtask bench`.

use std::fmt;

use lexopt::prelude::{Long, Value, ValueExt};

use super::peers;

pub(crate) const USAGE: &str = "\
Usage: cargo xtask bench [gen|sched|poll|net|timers|all] [--quick] [--peers LIST] [--threads N]
  --quick       gen, sched, and hello with 50 connections beside raw, mio and tokio
  --peers LIST  beside ours, and beside raw in net, only these; names with commas between them
  --threads N   in net also servers of N threads beside those of one
Writes report.md, report.json and plots into target/bench.
";

/// What is to be measured.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// The one suite that is wanted, or all.
    pub(crate) suite: Option<Suite>,
    pub(crate) is_quick: bool,
    /// In lower case; everybody if there is no list.
    pub(crate) peers: Option<Vec<String>>,
    /// More than one, if scaling is asked for.
    pub(crate) threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Gen,
    Sched,
    Poll,
    Net,
    Timers,
}

/// What is wrong with the command line.
#[derive(Debug)]
pub(crate) enum Complaint {
    Option(lexopt::Error),
    Suite(String),
    /// A second suite, where one or all can be had.
    SecondSuite(String),
    Peer(String),
    Threads(String),
    /// Scaling is asked for where no server is measured.
    NothingThreaded,
}

/// The most threads of a server; more than there are processors teaches nothing.
const MOST_THREADS: usize = 64;

const SUITES: [Suite; 5] = [Suite::Gen, Suite::Sched, Suite::Poll, Suite::Net, Suite::Timers];

/// What `--quick` takes of them.
const QUICK_SUITES: [Suite; 3] = [Suite::Gen, Suite::Sched, Suite::Net];

impl Plan {
    pub(crate) fn read(arguments: &[&str]) -> Result<Plan, Complaint> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut plan = Plan::default();
        let mut named = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Long("quick") => plan.is_quick = true,
                Long("peers") => plan.peers = Some(list(&parser.value()?.string()?)?),
                Long("threads") => plan.threads = Some(threads(&parser.value()?.string()?)?),
                Value(word) if named => return Err(Complaint::SecondSuite(word.string()?)),
                Value(word) => {
                    plan.suite = suite(word.string()?)?;
                    named = true;
                }
                other => return Err(other.unexpected().into()),
            }
        }
        if plan.threads.is_some() && (plan.is_quick || !plan.wants(Suite::Net)) {
            return Err(Complaint::NothingThreaded);
        }
        Ok(plan)
    }

    pub(crate) fn wants(&self, suite: Suite) -> bool {
        match self.suite {
            Some(wanted) => wanted == suite,
            None => !self.is_quick || QUICK_SUITES.contains(&suite),
        }
    }

    /// The suites that are wanted, in the order in which they are measured.
    pub(crate) fn suites(&self) -> Vec<Suite> {
        SUITES.into_iter().filter(|suite| self.wants(*suite)).collect()
    }

    /// Whether this peer, by its name for the command line, may be measured.
    pub(crate) fn allows(&self, peer: &str) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|name| name == peer))
    }
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Suite::Gen => "gen",
            Suite::Sched => "sched",
            Suite::Poll => "poll",
            Suite::Net => "net",
            Suite::Timers => "timers",
        }
    }
}

fn suite(word: String) -> Result<Option<Suite>, Complaint> {
    if word == "all" {
        return Ok(None);
    }
    let found = SUITES.into_iter().find(|suite| suite.name() == word);
    found.map(Some).ok_or(Complaint::Suite(word))
}

fn list(text: &str) -> Result<Vec<String>, Complaint> {
    let names = text.split(',').map(|name| name.trim().to_lowercase());
    names
        .map(|name| if peers::is_known(&name) { Ok(name) } else { Err(Complaint::Peer(name)) })
        .collect()
}

fn threads(text: &str) -> Result<usize, Complaint> {
    match text.parse() {
        Ok(threads @ 2..=MOST_THREADS) => Ok(threads),
        _ => Err(Complaint::Threads(text.to_owned())),
    }
}

impl From<lexopt::Error> for Complaint {
    fn from(error: lexopt::Error) -> Complaint {
        Complaint::Option(error)
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::Option(error) => write!(f, "{error}"),
            Complaint::Suite(word) => write!(f, "no suite is called {word:?}"),
            Complaint::SecondSuite(word) => write!(f, "one suite or all, and {word:?} is one more"),
            Complaint::Peer(name) => {
                let known: Vec<&str> = peers::known().collect();
                write!(f, "no peer is called {name:?}; there are {}", known.join(", "))
            }
            Complaint::Threads(text) => {
                write!(f, "--threads takes a whole number from 2 to {MOST_THREADS}, not {text:?}")
            }
            Complaint::NothingThreaded => {
                write!(f, "--threads is for the suite net, and not for --quick")
            }
        }
    }
}

impl std::error::Error for Complaint {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_everything_is_measured() {
        let plan = Plan::read(&[]).unwrap();
        assert_eq!(plan, Plan::default());
        assert_eq!(plan.suites(), SUITES);
        assert!(plan.allows("smol"));
        assert_eq!(Plan::read(&["all"]).unwrap(), plan);
    }

    #[test]
    fn every_option_is_taken() {
        let plan = Plan::read(&["net", "--peers", "Mio, tokio", "--threads=2"]).unwrap();
        assert_eq!(plan.suites(), [Suite::Net]);
        assert_eq!(plan.threads, Some(2));
        assert!(plan.allows("mio") && plan.allows("tokio") && !plan.allows("smol"));
    }

    #[test]
    fn quick_leaves_suites_out_unless_they_are_named() {
        assert_eq!(Plan::read(&["--quick"]).unwrap().suites(), QUICK_SUITES);
        assert_eq!(Plan::read(&["--quick", "poll"]).unwrap().suites(), [Suite::Poll]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, named) in [
            (&["gne"][..], "\"gne\""),
            (&["gen", "net"], "\"net\""),
            (&["all", "net"], "\"net\""),
            (&["--peers", "mio,libevent"], "\"libevent\""),
            (&["--peers", "libevent"], "asyncio"),
            (&["--peers"], "--peers"),
            (&["--threads", "1"], "from 2"),
            (&["--threads", "two"], "\"two\""),
            (&["gen", "--threads", "2"], "net"),
            (&["--quick", "--threads", "2"], "--quick"),
            (&["--slow"], "--slow"),
            (&["--quick=yes"], "--quick"),
        ] {
            let complaint = Plan::read(arguments).unwrap_err().to_string();
            assert!(complaint.contains(named), "{arguments:?}: {complaint}");
            assert_eq!(complaint.lines().count(), 1, "{complaint}");
        }
    }
}
