//! What a wait brings: which source, and what it is ready for.
//!
//! Where there is epoll, every backend speaks its words, so that what the kernel wrote need not be
//! rewritten, and one loop reports for all: the compiler makes one piece of that loop and of what the
//! selector's owner does with an event, which saves 16 instructions an event.

use crate::interest::Interest;
use crate::readiness::Readiness;

/// The bits of a key, and what its source is ready for.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) type Answer = libc::epoll_event;

/// The bits of a key, and what its source is ready for.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) struct Answer {
    bits: u64,
    seen: Readiness,
}

/// An answer of a backend that has words of its own.
pub(crate) const fn answer(bits: u64, seen: Readiness) -> Answer {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Answer { u64: bits, events: seen.to_epoll() };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return Answer { bits, seen };
}

/// The bits of the key that an answer is about.
#[inline(always)]
pub(crate) const fn bits(answer: &Answer) -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return answer.u64;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return answer.bits;
}

/// What an owner who asked for `interest`, or for nothing, gets to see of what the source is ready for.
#[inline(always)]
pub(crate) fn seen(answer: &Answer, interest: Option<Interest>) -> Readiness {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Readiness::of_epoll_with(answer.events, interest);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return answer.seen.seen_with(interest);
}
