//! Processor time: our own, and another process's.

use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use crate::Failure;

/// The processor time of a process, all threads together, exact to what the scheduler counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessClock(ClockId);

impl ProcessClock {
    pub(crate) fn of(pid: i32) -> Result<ProcessClock, Failure> {
        let clock = clock_getcpuclockid(Pid::from_raw(pid));
        Ok(ProcessClock(clock.map_err(|error| format!("process {pid}: {error}"))?))
    }

    pub(crate) fn own() -> ProcessClock {
        ProcessClock(ClockId::CLOCK_PROCESS_CPUTIME_ID)
    }

    pub(crate) fn read(self) -> Result<Duration, Failure> {
        let time = self.0.now().map_err(|error| format!("the clock of a process: {error}"))?;
        Ok(time.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_clock_and_that_of_our_process_are_one() {
        let named = ProcessClock::of(std::process::id() as i32).unwrap();
        let before = ProcessClock::own().read().unwrap();
        let between = named.read().unwrap();
        let after = ProcessClock::own().read().unwrap();
        assert!(before <= between && between <= after, "{before:?} {between:?} {after:?}");
    }

    /// More than the numbers of processes that Linux gives out.
    const BEYOND: i32 = (1 << 22) + 1;

    #[test]
    fn a_process_that_is_not_there_has_none() {
        let failure = ProcessClock::of(BEYOND).unwrap_err().to_string();
        assert!(failure.starts_with("process 4194305: "), "{failure}");
    }
}
