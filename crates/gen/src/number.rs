//! Numbers for generators, each given out once in the life of the program.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A number from 1 up that was never given out before, and that leaves the highest bit of a `u64` free.
///
/// # Panics
///
/// When half the numbers of a `usize` are used up: no number may be given out twice. With 64 bits nobody lives to
/// see it. Hence the exchange; a plain addition could be driven past the end by who catches the panic.
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT
        .fetch_update(Relaxed, Relaxed, |next| (next < isize::MAX as usize).then_some(next + 1));
    number.expect("the numbers that tell generators apart are used up") as u64
}
