//! How many files a process may have open here.

use crate::count::idle::hard_limit;

/// Descriptors that a process needs besides those of connections.
const SPARE: usize = 100;

/// The most connections that one process can hold.
pub(super) fn connections() -> usize {
    // Without a limit to be found there is none.
    hard_limit().map_or(usize::MAX, |limit| limit.saturating_sub(SPARE))
}

/// Why so many connections cannot be held, if they cannot.
pub(super) fn missing(connections: usize) -> Option<String> {
    let limit = hard_limit()?;
    let needed = connections + SPARE;
    (limit < needed).then(|| format!("it needs {needed} open files, the hard limit is {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_held_is_not_missing() {
        assert_eq!(missing(connections().min(1 << 30)), None);
        if let Some(limit) = hard_limit() {
            assert!(missing(limit).unwrap().contains("open files"));
        }
    }
}
