//! How misuse ends.

/// Panics with `what` was done wrong. Out of line, so that the straight path pays no more than a jump not taken.
#[cold]
#[inline(never)]
pub(crate) fn misuse(what: &str) -> ! {
    panic!("{what}")
}
