//! What a registration asks for.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

/// What to wait for on a source: reading, writing, priority data, or several of them.
///
/// At least one is always set. To wait for nothing, disarm the registration: pass `None` to
/// [`Selector::modify`](crate::Selector::modify).
///
/// ```
/// use poll::Interest;
///
/// let both = Interest::READ | Interest::WRITE;
/// assert!(both.is_readable() && both.is_writable() && !both.is_priority());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(NonZeroU8);

/// How often a registration reports that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Mode {
    /// Every wait reports the source for as long as it is ready, as Python's selectors do.
    #[default]
    Level,
    /// A wait reports the source once each time that something new arrives. Read or write until
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) before waiting again. Registering and
    /// modifying count as news.
    ///
    /// With [`Interest::READ`], this mode also reports [`Readiness`](crate::Readiness)'s priority
    /// flag where the kernel can, since an urgent byte makes a short read say nothing about what
    /// is left.
    Edge,
    /// One report disarms the registration. [`Selector::modify`](crate::Selector::modify) arms it
    /// again.
    OneShot,
}

impl Interest {
    /// Data to read, a connection to accept, or the end of the stream.
    pub const READ: Self = Self(NonZeroU8::new(READ).unwrap());
    /// Room to write, or a connection attempt that ended.
    pub const WRITE: Self = Self(NonZeroU8::new(WRITE).unwrap());
    /// Priority data: TCP's urgent byte, a pseudo-terminal's packet mode. Never implies reading.
    pub const PRIORITY: Self = Self(NonZeroU8::new(PRIORITY).unwrap());

    /// Whether reading is asked for.
    pub const fn is_readable(self) -> bool {
        self.bits() & READ != 0
    }

    /// Whether writing is asked for.
    pub const fn is_writable(self) -> bool {
        self.bits() & WRITE != 0
    }

    /// Whether priority data is asked for.
    pub const fn is_priority(self) -> bool {
        self.bits() & PRIORITY != 0
    }

    /// The same bits as [`Readiness`](crate::Readiness) and, on Linux, as `epoll_ctl` has.
    pub(crate) const fn bits(self) -> u8 {
        self.0.get()
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags(f, "Interest", self.bits())
    }
}

/// Writes the names of the flags that are set, with bars between them.
pub(crate) fn write_flags(f: &mut fmt::Formatter<'_>, of: &str, bits: u8) -> fmt::Result {
    let names = ["READ", "PRIORITY", "WRITE", "ERROR", "HANGUP", "READ_HANGUP"];
    let is_set = |bit: &usize| bits >> bit & 1 == 1;
    let set: Vec<&str> = (0..names.len()).filter(is_set).map(|bit| names[bit]).collect();
    write!(f, "{of}({})", set.join(" | "))
}

/// The bit of reading; the values are those of `EPOLLIN` and its kin, so that the epoll backend
/// need not translate them one by one.
pub(crate) const READ: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const WRITE: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interests_join_and_tell_their_parts() {
        let parts = |interest: Interest| {
            (interest.is_readable(), interest.is_writable(), interest.is_priority())
        };
        assert_eq!(parts(Interest::READ), (true, false, false));
        assert_eq!(parts(Interest::WRITE), (false, true, false));
        assert_eq!(parts(Interest::PRIORITY), (false, false, true));
        assert_eq!(parts(Interest::READ | Interest::PRIORITY), (true, false, true));
        let mut joined = Interest::READ;
        joined |= Interest::WRITE;
        assert_eq!(joined, Interest::READ | Interest::WRITE);
        assert_eq!(joined | Interest::READ, joined, "joining twice changes nothing");
    }

    #[test]
    fn interests_are_shown_by_name() {
        assert_eq!(format!("{:?}", Interest::READ), "Interest(READ)");
        let all = Interest::WRITE | Interest::PRIORITY | Interest::READ;
        assert_eq!(format!("{all:?}"), "Interest(READ | PRIORITY | WRITE)");
    }
}
