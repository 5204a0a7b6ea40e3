//! Waking a selector from another thread.

use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use polling::Poller;

/// Ends a selector's present wait early, or else its next one, from any thread.
///
/// Clones share one bell, and notifications that arrive before the selector looks are one: only
/// the first makes a system call. It outlives its selector without harm.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use poll::{Events, Selector};
///
/// let mut selector = Selector::<std::net::TcpStream>::new()?;
/// let notifier = selector.notifier();
/// let thread = std::thread::spawn(move || notifier.notify());
///
/// let mut events = Events::new();
/// assert_eq!(selector.select(&mut events, None)?, 0);
/// thread.join().expect("the thread ends")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Notifier {
    shared: Arc<Shared>,
}

struct Shared {
    /// Set by the first notification, cleared by the selector after the bell is silent.
    is_raised: AtomicBool,
    bell: Bell,
}

/// What makes a waiting system call return.
enum Bell {
    /// Read and written through the same descriptor.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Counter(OwnedFd),
    /// Where there is no such counter, or the system forbids it. The reading end stays open for
    /// as long as somebody may write, so that no write raises SIGPIPE.
    #[cfg(unix)]
    Pipe { reader: OwnedFd, writer: OwnedFd },
    /// The native backend rings by itself.
    Poller(Arc<Poller>),
}

impl Notifier {
    /// Ends the present wait early, or else the next one.
    ///
    /// What the caller wrote to memory before is seen by the thread that waits once it returns.
    /// One system call, or none while an earlier notification is still unseen.
    ///
    /// # Errors
    ///
    /// If the system call fails; the next notification tries it again.
    pub fn notify(&self) -> io::Result<()> {
        if self.shared.is_raised.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let rung = self.ring();
        if rung.is_err() {
            self.shared.is_raised.store(false, Ordering::Release);
        }
        rung
    }

    /// A notifier with a bell of its own, for backends that wait for descriptors.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::event::{EventfdFlags, eventfd};
            if let Ok(counter) = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
                return Ok(Self::with_bell(Bell::Counter(counter)));
            }
        }
        Self::with_pipe()
    }

    /// `std` opens its pipes close-on-exec.
    #[cfg(unix)]
    fn with_pipe() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        for end in [reader.as_fd(), writer.as_fd()] {
            let flags = rustix::fs::fcntl_getfl(end)?;
            rustix::fs::fcntl_setfl(end, flags | rustix::fs::OFlags::NONBLOCK)?;
        }
        Ok(Self::with_bell(Bell::Pipe { reader: reader.into(), writer: writer.into() }))
    }

    /// A notifier that rings through the native backend.
    pub(crate) fn with_poller(poller: Arc<Poller>) -> Self {
        Self::with_bell(Bell::Poller(poller))
    }

    fn with_bell(bell: Bell) -> Self {
        let is_raised = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { is_raised, bell }) }
    }

    /// The descriptor that is readable while the bell rings. The native backend has none to show.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.shared.bell {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Bell::Counter(counter) => Some(counter.as_fd()),
            Bell::Pipe { reader, .. } => Some(reader.as_fd()),
            Bell::Poller(_) => None,
        }
    }

    /// Silences the bell and says whether somebody had notified.
    ///
    /// First the bell, then the flag. The other way round, a thread that notifies in between
    /// finds the flag down, raises it and rings; the selector then silences that ring; the flag
    /// stays up over a silent bell, and every later notification is taken for one more of the
    /// same. In this order, a notification in between finds the flag up and does nothing, which
    /// is right: the wait that it should end is ending.
    pub(crate) fn take(&self) -> bool {
        self.silence();
        self.shared.is_raised.swap(false, Ordering::AcqRel)
    }

    fn ring(&self) -> io::Result<()> {
        match &self.shared.bell {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Bell::Counter(counter) => write_all_of(counter, &1_u64.to_ne_bytes()),
            #[cfg(unix)]
            Bell::Pipe { writer, .. } => write_all_of(writer, &[1]),
            Bell::Poller(poller) => poller.notify(),
        }
    }

    /// One read empties a counter. A pipe holds at most a few bytes, as notifications are
    /// coalesced, and one that still held some would ring again.
    fn silence(&self) {
        match &self.shared.bell {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Bell::Counter(counter) => _ = rustix::io::read(counter, &mut [0; 8]),
            #[cfg(unix)]
            Bell::Pipe { reader, .. } => _ = rustix::io::read(reader, &mut [0; 64]),
            Bell::Poller(_) => {}
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_raised = self.shared.is_raised.load(Ordering::Relaxed);
        f.debug_struct("Notifier").field("is_raised", &is_raised).finish_non_exhaustive()
    }
}

/// Writes a few bytes at once. A bell that has no room for them rings already.
#[cfg(unix)]
fn write_all_of(end: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    use rustix::io::{Errno, retry_on_intr, write};
    match retry_on_intr(|| write(end, bytes)) {
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn rings(notifier: &Notifier) -> bool {
        let bell = notifier.descriptor().expect("a descriptor");
        let mut fds = [PollFd::from_borrowed_fd(bell, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).expect("poll") == 1
    }

    fn check(notifier: &Notifier) {
        assert!(!rings(notifier) && !notifier.take());
        for _ in 0..100_000 {
            notifier.notify().expect("notify");
        }
        assert!(rings(notifier), "still rings until it is silenced");
        assert!(notifier.take());
        assert!(!rings(notifier) && !notifier.take());
        notifier.notify().expect("notify");
        assert!(rings(notifier), "rings again after it was silenced");
    }

    #[test]
    fn notifications_are_one_until_they_are_seen() {
        check(&Notifier::new().expect("a bell"));
    }

    #[test]
    fn a_pipe_does_as_well_where_there_is_no_counter() {
        check(&Notifier::with_pipe().expect("a pipe"));
    }
}
