//! Processor time, which other programs on the machine do not stretch as they do the time of day.
//!
//! By libc: rustix looks for the kernel's own page of clocks, and does not survive that under valgrind.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds that this thread has been running.
pub fn thread() -> f64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Nanoseconds that all threads of this process have been running.
pub fn process() -> f64 {
    nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// How long this thread runs for `work`, in nanoseconds.
pub fn time<R>(work: impl FnOnce() -> R) -> f64 {
    let start = thread();
    let result = work();
    let end = thread();
    drop(result);
    end - start
}

fn nanoseconds(clock: ClockId) -> f64 {
    let time =
        clock_gettime(clock).expect("every Unix has the clocks of its threads and processes");
    time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_moves_the_clocks() {
        let (start, all) = (thread(), process());
        // Bounded: the clock moves with every nanosecond of work.
        let moved = (0..1_000_000).any(|_| thread() > start && process() > all);
        assert!(moved);
        assert!(time(thread) >= 0.0);
    }
}
