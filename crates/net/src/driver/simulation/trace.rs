//! What happened in a run, in order, and a hash of it.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use sched::TaskId;

use crate::core::current;

/// Entries that a trace keeps: the last ones. The hash is of all.
const KEPT: usize = 256;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct TraceEntry {
    /// When, since the start of the run.
    pub at: Duration,
    /// Where.
    pub host: Rc<str>,
    /// The task that ran, if one did.
    pub task: Option<TaskId>,
    /// What.
    pub event: String,
}

/// The last entries of a run, and the hash of all.
#[derive(Debug)]
pub(crate) struct Trace {
    last: VecDeque<TraceEntry>,
    hash: Fnv,
    entries: u64,
    line: String,
}

/// The hash FNV-1a with 64 bits: the same on every machine.
#[derive(Debug)]
struct Fnv(u64);

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace {
            last: VecDeque::with_capacity(KEPT),
            hash: Fnv(0xCBF2_9CE4_8422_2325),
            entries: 0,
            line: String::new(),
        }
    }

    pub(crate) fn add(&mut self, at: Duration, host: &Rc<str>, event: fmt::Arguments<'_>) {
        let task = current().ok().and_then(|core| core.scheduler.running());
        let mut entry = if self.last.len() == KEPT { self.last.pop_front() } else { None };
        let mut text = entry.as_mut().map(|old| std::mem::take(&mut old.event)).unwrap_or_default();
        text.clear();
        // Writing to a string does not fail.
        let _ = text.write_fmt(event);
        let entry = TraceEntry { at, host: Rc::clone(host), task, event: text };
        self.line.clear();
        let _ = write!(self.line, "{entry}");
        self.hash.take(self.line.as_bytes());
        self.entries += 1;
        self.last.push_back(entry);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.0
    }

    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn last(&self) -> Vec<TraceEntry> {
        self.last.iter().cloned().collect()
    }
}

impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(b"\n") {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14.6} ms  {:<10} ", self.at.as_nanos() as f64 / 1e6, self.host)?;
        match self.task {
            Some(task) => write!(f, "task {task:<6} ")?,
            None => write!(f, "{:<12}", "")?,
        }
        f.write_str(&self.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_of_all_and_in_order() {
        let host: Rc<str> = "a".into();
        let trace = |events: &[&str]| {
            let mut trace = Trace::new();
            for event in events {
                trace.add(Duration::from_millis(1), &host, format_args!("{event}"));
            }
            trace.hash()
        };
        assert_eq!(trace(&["x", "y"]), trace(&["x", "y"]));
        assert_ne!(trace(&["x", "y"]), trace(&["y", "x"]));
        assert_ne!(trace(&["x", "y"]), trace(&["xy"]));
    }

    #[test]
    fn only_the_last_entries_are_kept() {
        let host: Rc<str> = "a".into();
        let mut trace = Trace::new();
        for number in 0..KEPT + 10 {
            trace.add(Duration::ZERO, &host, format_args!("{number}"));
        }
        let last = trace.last();
        assert_eq!((last.len(), last[0].event.as_str()), (KEPT, "10"));
        assert_eq!(trace.entries() as usize, KEPT + 10);
    }
}
