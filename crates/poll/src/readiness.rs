//! What a source is ready for.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign};

use crate::interest::{Interest, PRIORITY, READ, WRITE, write_flags};

/// What a source is ready for: a set of flags in one byte.
///
/// Readiness is a hint: another thread may have taken the data since, so a read or write must be
/// ready to see [`WouldBlock`](std::io::ErrorKind::WouldBlock).
///
/// ```
/// use poll::Readiness;
///
/// let mut seen = Readiness::EMPTY;
/// seen |= Readiness::READ | Readiness::READ_HANGUP;
/// assert!(seen.is_readable() && !seen.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Readiness(u8);

impl Readiness {
    /// No flag. No event carries it; it is where counting begins.
    pub const EMPTY: Self = Self(0);
    /// A read would not block.
    pub const READ: Self = Self(READ);
    /// Priority data is there.
    pub const PRIORITY: Self = Self(PRIORITY);
    /// A write would not block.
    pub const WRITE: Self = Self(WRITE);
    /// The source failed; the directions that were asked for are set too, and the next operation
    /// reports the error.
    pub const ERROR: Self = Self(ERROR);
    /// Both directions are closed; the directions that were asked for are set too.
    pub const HANGUP: Self = Self(HANGUP);
    /// The other side will write no more. What it wrote before is still to be read.
    pub const READ_HANGUP: Self = Self(READ_HANGUP);

    /// Whether a read would not block.
    pub const fn is_readable(self) -> bool {
        self.intersects(Self::READ)
    }

    /// Whether a write would not block.
    pub const fn is_writable(self) -> bool {
        self.intersects(Self::WRITE)
    }

    /// Whether priority data is there.
    pub const fn is_priority(self) -> bool {
        self.intersects(Self::PRIORITY)
    }

    /// Whether the source failed.
    pub const fn is_error(self) -> bool {
        self.intersects(Self::ERROR)
    }

    /// Whether both directions are closed.
    pub const fn is_hangup(self) -> bool {
        self.intersects(Self::HANGUP)
    }

    /// Whether the other side will write no more.
    pub const fn is_read_hangup(self) -> bool {
        self.intersects(Self::READ_HANGUP)
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether at least one flag of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of `self` that `other` lacks.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// These flags if `is_set`, otherwise none.
    pub(crate) const fn when(self, is_set: bool) -> Self {
        if is_set { self } else { Self::EMPTY }
    }

    /// The flags as `epoll_wait` has them. The five low bits are the same; read-hangup moves from
    /// bit 13 to bit 5; anything else that the kernel may add is dropped.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const fn from_epoll(flags: u32) -> Self {
        Self((flags & 0x1f | (flags & EPOLL_READ_HANGUP) >> 8) as u8)
    }

    /// What an owner who asked for `interest`, or for nothing, gets to see of the flags of
    /// `epoll_wait`. Every event passes here; the usual one takes two operations.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[inline(always)]
    pub(crate) fn of_epoll_with(flags: u32, interest: Option<Interest>) -> Self {
        const UNUSUAL: u32 = (PRIORITY | ERROR | HANGUP) as u32 | EPOLL_READ_HANGUP;
        if flags & UNUSUAL == 0 {
            return Self(flags as u8 & (READ | WRITE) & bits(interest));
        }
        Self::from_epoll(flags).seen_with(interest)
    }

    /// The flags as `epoll_wait` would have them.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) const fn to_epoll(self) -> u32 {
        (self.0 & !READ_HANGUP) as u32 | ((self.0 & READ_HANGUP) as u32) << 8
    }

    /// What an owner who asked for `interest`, or for nothing, gets to see of what the kernel said.
    ///
    /// A direction that was not asked for is dropped; an error or hangup raises those that were,
    /// because the next read or write will not block but fail or end.
    #[cold]
    #[inline(never)]
    pub(crate) const fn seen_with(self, interest: Option<Interest>) -> Self {
        if interest.is_none() {
            return Self::EMPTY;
        }
        let asked = bits(interest) & (READ | WRITE);
        let raised = if self.0 & (ERROR | HANGUP) == 0 { 0 } else { asked };
        Self(self.0 & !(READ | WRITE) | self.0 & asked | raised)
    }
}

const fn bits(interest: Option<Interest>) -> u8 {
    match interest {
        Some(interest) => interest.bits(),
        None => 0,
    }
}

impl BitOr for Readiness {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Readiness {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags(f, "Readiness", self.0)
    }
}

/// The values of `EPOLLERR` and `EPOLLHUP`; `EPOLLRDHUP` does not fit a byte.
const ERROR: u8 = 8;
const HANGUP: u8 = 16;
const READ_HANGUP: u8 = 32;

/// `EPOLLRDHUP`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const EPOLL_READ_HANGUP: u32 = 1 << 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_hangups_raise_what_was_asked_for_and_nothing_else() {
        for broken in [Readiness::ERROR, Readiness::HANGUP] {
            assert_eq!(broken.seen_with(Some(Interest::READ)), broken | Readiness::READ);
            assert_eq!(broken.seen_with(Some(Interest::WRITE)), broken | Readiness::WRITE);
            assert_eq!(broken.seen_with(Some(Interest::PRIORITY)), broken);
        }
    }

    #[test]
    fn priority_never_implies_read() {
        let seen = Readiness::PRIORITY.seen_with(Some(Interest::READ | Interest::PRIORITY));
        assert_eq!(seen, Readiness::PRIORITY);
    }

    #[test]
    fn a_direction_not_asked_for_is_dropped() {
        let both = Readiness::READ | Readiness::WRITE;
        assert_eq!(both.seen_with(Some(Interest::WRITE)), Readiness::WRITE);
        assert_eq!(both.seen_with(Some(Interest::PRIORITY)), Readiness::EMPTY);
        assert_eq!((both | Readiness::HANGUP).seen_with(None), Readiness::EMPTY);
        assert_eq!(Readiness::PRIORITY.seen_with(None), Readiness::EMPTY);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn kernel_bits_arrive_as_flags() {
        let pairs = [
            (libc::EPOLLIN, Readiness::READ),
            (libc::EPOLLPRI, Readiness::PRIORITY),
            (libc::EPOLLOUT, Readiness::WRITE),
            (libc::EPOLLERR, Readiness::ERROR),
            (libc::EPOLLHUP, Readiness::HANGUP),
            (libc::EPOLLRDHUP, Readiness::READ_HANGUP),
            (libc::EPOLLRDNORM, Readiness::EMPTY),
            (libc::EPOLLET, Readiness::EMPTY),
        ];
        for (bit, flag) in pairs {
            assert_eq!(Readiness::from_epoll(bit as u32), flag, "{bit:#x}");
            assert_eq!(Readiness::from_epoll(flag.to_epoll()), flag);
        }
    }
}
