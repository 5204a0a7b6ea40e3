//! The two system calls that wait on an epoll instance.
//!
//! Of these, `rustix` has only the older one, whose timeout counts milliseconds, and a build-time
//! switch that loses kernels before 5.11. Its buffer could not be sent to another thread either.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits with the precision that a kernel has.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    /// Whether the kernel, or a filter before it, refused the call that counts nanoseconds. It
    /// is not asked again.
    is_coarse: bool,
}

impl Waiter {
    /// Waits for at most `timeout`, `None` for ever, and replaces `batch` by what is ready, up to
    /// its capacity. One system call.
    ///
    /// Only a timeout with a part of a millisecond needs the newer call. Where that is missing,
    /// the timeout is rounded up.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        epoll: BorrowedFd<'_>,
        batch: &mut Vec<libc::epoll_event>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        batch.clear();
        if let Some(fine) = timeout.filter(|t| !self.is_coarse && t.subsec_nanos() % MILLI != 0) {
            match wait_nanoseconds(epoll, batch, fine) {
                Err(error) if is_missing(&error) => self.is_coarse = true,
                done => return done,
            }
        }
        wait_milliseconds(epoll, batch, timeout.map_or(FOREVER, round_up))
    }
}

fn wait_milliseconds(
    epoll: BorrowedFd<'_>,
    batch: &mut Vec<libc::epoll_event>,
    timeout: c_int,
) -> io::Result<()> {
    let room = c_int::try_from(batch.capacity()).unwrap_or(c_int::MAX);
    // SAFETY: the kernel writes at most `room` events from the start of the vector's memory,
    // which has that capacity, and `&mut` keeps everyone else out meanwhile.
    let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), batch.as_mut_ptr(), room, timeout) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel said that it wrote `count` events, and never exceeds `room`.
    unsafe { batch.set_len(count) };
    Ok(())
}

#[cold]
fn wait_nanoseconds(
    epoll: BorrowedFd<'_>,
    batch: &mut Vec<libc::epoll_event>,
    timeout: Duration,
) -> io::Result<()> {
    let timeout = Timespec {
        seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: i64::from(timeout.subsec_nanos()),
    };
    let room = c_int::try_from(batch.capacity()).unwrap_or(c_int::MAX);
    // SAFETY: the arguments are those of epoll_pwait2(2): a descriptor, memory for `room` events
    // that `&mut` keeps to us, a kernel timespec that lives until the call returns, and no signal
    // mask.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_raw_fd(),
            batch.as_mut_ptr(),
            room,
            &raw const timeout,
            std::ptr::null::<libc::sigset_t>(),
            0_usize,
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel said that it wrote `count` events, and never exceeds `room`.
    unsafe { batch.set_len(count) };
    Ok(())
}

/// Kernels before 5.11 lack the newer call; filters written before it refuse what they do not
/// know, some with the wrong error.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

/// Milliseconds, rounded up so that no wait ends early.
fn round_up(timeout: Duration) -> c_int {
    let millis = timeout.as_secs().saturating_mul(1_000);
    let rest = timeout.subsec_nanos().div_ceil(MILLI);
    c_int::try_from(millis.saturating_add(rest.into())).unwrap_or(c_int::MAX)
}

/// The kernel's timespec, 64 bits each on every machine.
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// What `epoll_wait` takes for a wait without end.
const FOREVER: c_int = -1;

/// Nanoseconds in a millisecond.
const MILLI: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::epoll;
    use std::os::fd::AsFd;
    use std::time::Instant;

    #[test]
    fn milliseconds_are_rounded_up() {
        assert_eq!(round_up(Duration::ZERO), 0);
        assert_eq!(round_up(Duration::from_nanos(1)), 1);
        assert_eq!(round_up(Duration::from_millis(7)), 7);
        assert_eq!(round_up(Duration::from_nanos(7_000_001)), 8);
        assert_eq!(round_up(Duration::MAX), c_int::MAX);
    }

    #[test]
    fn no_wait_is_early_with_or_without_nanoseconds() {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll instance");
        for is_coarse in [false, true] {
            let mut waiter = Waiter { is_coarse };
            for nanos in [1, 999_999, 1_000_000, 2_500_001] {
                let timeout = Duration::from_nanos(nanos);
                let start = Instant::now();
                let mut batch = Vec::with_capacity(1);
                waiter.wait(epoll.as_fd(), &mut batch, Some(timeout)).expect("a wait");
                assert!(start.elapsed() >= timeout, "coarse: {is_coarse}, {nanos} ns");
                assert!(batch.is_empty());
            }
            assert_eq!(waiter.is_coarse, is_coarse);
        }
    }

    #[test]
    fn a_refused_call_is_told_from_a_failed_one() {
        for (code, missing) in
            [(libc::ENOSYS, true), (libc::EPERM, true), (libc::EINTR, false), (libc::EBADF, false)]
        {
            assert_eq!(is_missing(&io::Error::from_raw_os_error(code)), missing);
        }
    }
}
