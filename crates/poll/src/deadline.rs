//! Until when to wait: the one place of the crate that reads a clock.

use std::time::{Duration, Instant};

/// The end of a wait that may take several system calls, because signals interrupt some.
#[derive(Debug)]
pub(crate) struct Deadline {
    /// When the wait ends. `None` for a poll, which has no second call, and for ever.
    at: Option<Instant>,
    /// What the next system call may take; `None` is for ever. At most [`LONGEST_CALL`], so that no
    /// kernel refuses it: a call that ends before its time is repeated anyway.
    left: Option<Duration>,
}

impl Deadline {
    /// A wait of `timeout` that begins now. A timeout beyond what the clock can count is for
    /// ever. The clock is read only for a timeout that is neither zero nor for ever.
    #[inline]
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        match timeout {
            None | Some(Duration::ZERO) => Self { at: None, left: timeout },
            Some(length) => {
                let at = Instant::now().checked_add(length);
                Self { at, left: at.map(|_| length.min(LONGEST_CALL)) }
            }
        }
    }

    /// What the next system call may take.
    #[inline]
    pub(crate) const fn left(&self) -> Option<Duration> {
        self.left
    }

    /// Whether the time is up, after a call that brought nothing.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        match self.at {
            None => self.left.is_some(),
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                self.left = Some(left.min(LONGEST_CALL));
                left.is_zero()
            }
        }
    }
}

/// The longest wait handed to the kernel in one call: what 32 bits of milliseconds hold, about
/// 24 days.
const LONGEST_CALL: Duration = Duration::from_millis(i32::MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_ends_after_one_call() {
        let mut deadline = Deadline::new(Some(Duration::ZERO));
        assert_eq!(deadline.left(), Some(Duration::ZERO));
        assert!(deadline.is_over());
    }

    #[test]
    fn nothing_and_too_much_mean_for_ever() {
        for timeout in [None, Some(Duration::MAX)] {
            let mut deadline = Deadline::new(timeout);
            assert_eq!(deadline.left(), None);
            assert!(!deadline.is_over());
        }
    }

    #[test]
    fn a_long_wait_is_cut_into_calls_and_resumes_with_the_rest() {
        let hundred_days = Duration::from_secs(100 * 24 * 60 * 60);
        let mut deadline = Deadline::new(Some(hundred_days));
        assert_eq!(deadline.left(), Some(LONGEST_CALL));
        assert!(!deadline.is_over());
        assert!(deadline.left.unwrap() <= hundred_days);
        assert_eq!(deadline.left(), Some(LONGEST_CALL));
    }
}
