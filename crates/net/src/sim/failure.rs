//! A run that went wrong, with all that is needed to look into it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{Report, TraceEntry};
use crate::driver::simulation::Strike;
use crate::listing::TaskInfo;

/// How a run went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// A host's program ended with an error.
    Error {
        /// Its name.
        host: String,
        /// What it said.
        error: String,
    },
    /// A task panicked.
    Panic {
        /// Where.
        host: String,
        /// With what.
        message: String,
    },
    /// Everything waits, and nothing is on its way.
    Stuck {
        /// Who waits for what, by host.
        waiting: Vec<(String, TaskInfo)>,
    },
    /// The limit of turns was reached.
    Steps(u64),
    /// The limit of virtual time was reached.
    Time(Duration),
}

/// A run that went wrong.
#[derive(Debug)]
pub struct Failure {
    /// How.
    pub kind: FailureKind,
    /// What the run was like up to then.
    pub report: Report,
    /// The last events.
    pub trace: Vec<TraceEntry>,
    /// The faults that struck, in their order.
    pub(super) struck: Vec<Strike>,
    /// The command that repeats the run, where there is one.
    pub(super) repeat: Option<String>,
    /// The faults that were left when it was shrunk.
    pub(super) shrunk: Option<Vec<Strike>>,
}

/// Entries of the trace that are shown.
const SHOWN: usize = 40;

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailureKind::Error { host, error } => write!(f, "{host} ended with an error: {error}"),
            FailureKind::Panic { host, message } => write!(f, "on {host}: {message}"),
            FailureKind::Stuck { waiting } => {
                f.write_str("everything waits, and nothing is on its way")?;
                waiting.iter().try_for_each(|(host, task)| write!(f, "\n  {host}: {task}"))
            }
            FailureKind::Steps(steps) => write!(f, "no end after {steps} turns"),
            FailureKind::Time(time) => write!(f, "no end after {time:?} of virtual time"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.report.seed;
        writeln!(f, "the simulation with seed {seed} failed: {}", self.kind)?;
        writeln!(f, "the last events:")?;
        let from = self.trace.len().saturating_sub(SHOWN);
        for entry in &self.trace[from..] {
            writeln!(f, "  {entry}")?;
        }
        if let Some(strikes) = &self.shrunk {
            writeln!(f, "of {} faults these are enough:", self.struck.len())?;
            for (fault, opportunity) in strikes {
                writeln!(f, "  {fault}, at its opportunity {opportunity}")?;
            }
        }
        match &self.repeat {
            Some(command) => write!(f, "repeat it: {command}"),
            None => write!(f, "repeat it: run it again with the seed {seed}"),
        }
    }
}

impl Error for Failure {}
