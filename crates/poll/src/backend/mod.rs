//! The system calls that can wait, and the one interface behind which they stand.

pub(crate) mod answer;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll_wait;
mod native;
#[cfg(unix)]
mod poll;
#[cfg(all(unix, not(target_os = "illumos")))]
pub(crate) mod select;

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use answer::Answer;

use crate::error::Refusal;
use crate::interest::{Interest, Mode};
use crate::key::Key;
use crate::notifier::Notifier;
use crate::slots::Slots;
use crate::source::{Descriptor, Source};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;

/// The system call that a selector waits with.
///
/// ```
/// use poll::Backend;
///
/// assert_eq!("native".parse(), Ok(Backend::Native));
/// assert_eq!(Backend::Native.to_string(), "native");
/// assert!(Backend::available().contains(&Backend::Native));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// `select(2)`, without its usual limit of 1,024 descriptors. A wait takes time in
    /// proportion to the largest descriptor.
    Select,
    /// `poll(2)`. A wait takes time in proportion to the registrations.
    Poll,
    /// `epoll(7)`: Linux and Android. A wait takes time in proportion to what is ready.
    Epoll,
    /// What the `polling` crate chooses: kqueue, IOCP, event ports, or epoll. A wait takes time in
    /// proportion to what is ready.
    Native,
}

impl Backend {
    /// The backends of this platform, the best one first.
    pub const fn available() -> &'static [Self] {
        &[
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll,
            Self::Native,
            #[cfg(unix)]
            Self::Poll,
            #[cfg(all(unix, not(target_os = "illumos")))]
            Self::Select,
        ]
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Select => "select",
            Self::Poll => "poll",
            Self::Epoll => "epoll",
            Self::Native => "native",
        })
    }
}

impl FromStr for Backend {
    type Err = Refusal;

    /// The backend named `select`, `poll`, `epoll` or `native`, present here or not.
    fn from_str(name: &str) -> Result<Self, Refusal> {
        match name {
            "select" => Ok(Self::Select),
            "poll" => Ok(Self::Poll),
            "epoll" => Ok(Self::Epoll),
            "native" => Ok(Self::Native),
            _ => Err(Refusal::UnknownBackend(name.to_owned())),
        }
    }
}

/// What the kernel is asked to watch.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    pub(crate) descriptor: Descriptor<'a>,
    pub(crate) key: Key,
    pub(crate) interest: Interest,
    pub(crate) mode: Mode,
}

/// A backend at work. It translates bits; what they mean is decided in one place for all, in
/// [`Selector`](crate::Selector) and [`Batch`](crate::slots::Batch).
pub(crate) enum Driver {
    #[cfg(all(unix, not(target_os = "illumos")))]
    Select(select::Select),
    #[cfg(unix)]
    Poll(poll::Poll),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Epoll(epoll::Epoll),
    Native(native::Native),
}

impl Driver {
    /// A backend at work, and the notifier that it listens to.
    pub(crate) fn open(backend: Backend) -> io::Result<(Self, Notifier)> {
        match backend {
            #[cfg(all(unix, not(target_os = "illumos")))]
            Backend::Select => Ok((Self::Select(select::Select::default()), Notifier::new()?)),
            #[cfg(unix)]
            Backend::Poll => Ok((Self::Poll(poll::Poll::default()), Notifier::new()?)),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Backend::Epoll => {
                let notifier = Notifier::new()?;
                Ok((Self::Epoll(epoll::Epoll::new(&notifier)?), notifier))
            }
            Backend::Native => {
                let (native, notifier) = native::Native::new()?;
                Ok((Self::Native(native), notifier))
            }
            #[allow(unreachable_patterns, reason = "Linux has them all")]
            missing => Err(Refusal::MissingBackend(missing).into()),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            #[cfg(all(unix, not(target_os = "illumos")))]
            Self::Select(_) => Backend::Select,
            #[cfg(unix)]
            Self::Poll(_) => Backend::Poll,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(_) => Backend::Epoll,
            Self::Native(_) => Backend::Native,
        }
    }

    /// Level and one-shot can be made from anything. Edge takes a kernel that remembers what it
    /// said.
    pub(crate) fn supports(&self, mode: Mode) -> bool {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(_) => true,
            Self::Native(native) => mode != Mode::Edge || native.has_edge(),
            #[cfg(unix)]
            _ => mode != Mode::Edge,
        }
    }

    /// The native backend does not hear of priority data where it is kqueue.
    pub(crate) fn has_priority(&self) -> bool {
        let is_kqueue = cfg!(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly",
        ));
        !(is_kqueue && matches!(self, Self::Native(_)))
    }

    /// Whether a descriptor that closes takes its entry with it, so that the selector need not.
    /// Not with the native backend: the `polling` crate wants everything deleted.
    pub(crate) fn forgets_closed(&self) -> bool {
        !matches!(self, Self::Native(_))
    }

    /// Has the kernel watch a descriptor that the selector does not hold yet.
    pub(crate) fn add(&self, watch: Watch<'_>) -> io::Result<()> {
        let added = match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(epoll) => epoll.add(watch),
            Self::Native(native) => refuse_files(watch.descriptor).and_then(|()| native.add(watch)),
            #[cfg(unix)]
            _ => refuse_files(watch.descriptor),
        };
        added.map_err(explain)
    }

    /// Changes what the kernel watches for.
    pub(crate) fn modify(&self, watch: Watch<'_>) -> io::Result<()> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(epoll) => epoll.modify(watch),
            Self::Native(native) => native.modify(watch),
            #[cfg(unix)]
            _ => Ok(()),
        }
    }

    /// Has the kernel watch a descriptor no longer. That it does not watch it now is no failure.
    pub(crate) fn remove(&self, descriptor: Descriptor<'_>) -> io::Result<()> {
        let removed = match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(epoll) => epoll.remove(descriptor),
            Self::Native(native) => native.remove(descriptor),
            #[cfg(unix)]
            _ => Ok(()),
        };
        match removed {
            Err(error) if is_unknown(&error) => Ok(()),
            removed => removed,
        }
    }

    /// Forgets every registration, if the backend could outlive the selector.
    pub(crate) fn remove_all<S: Source, D>(&self, slots: &Slots<S, D>) {
        match self {
            Self::Native(native) => native.remove_all(slots),
            #[cfg(unix)]
            _ => {}
        }
    }

    /// Waits once, for at most `timeout`, and says what that brought, even with an error. A signal may
    /// end it early.
    #[inline]
    pub(crate) fn wait<S: Source, D>(
        &mut self,
        timeout: Option<Duration>,
        #[cfg_attr(windows, allow(unused_variables))] notifier: &Notifier,
        slots: &Slots<S, D>,
    ) -> (io::Result<()>, &[Answer]) {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(epoll) => (epoll.wait(timeout), epoll.answers()),
            #[cfg(unix)]
            Self::Poll(poll) => {
                let waited = poll.wait(timeout, notifier.descriptor(), slots);
                (waited, poll.answers())
            }
            #[cfg(all(unix, not(target_os = "illumos")))]
            Self::Select(select) => {
                let waited = select.wait(timeout, notifier.descriptor(), slots);
                (waited, select.answers())
            }
            Self::Native(native) => (native.wait(timeout, slots), native.answers()),
        }
    }

    /// The descriptor that is readable while a wait would bring something, where there is one.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<Descriptor<'_>> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll(epoll) => Some(epoll.as_fd()),
            Self::Native(native) => native.descriptor(),
            _ => None,
        }
    }
}

/// What every backend must refuse alike: epoll knows no readiness of files, while for the others
/// they are always ready, which means nothing.
#[cfg(unix)]
fn refuse_files(descriptor: Descriptor<'_>) -> io::Result<()> {
    use rustix::fs::{FileType, fstat};
    match FileType::from_raw_mode(fstat(descriptor)?.st_mode) {
        FileType::RegularFile | FileType::Directory => Err(Refusal::NotPollable.into()),
        _ => Ok(()),
    }
}

/// A socket is never a file.
#[cfg(windows)]
fn refuse_files(_: Descriptor<'_>) -> io::Result<()> {
    Ok(())
}

/// epoll says "not permitted" of whatever has no readiness.
#[cfg(unix)]
fn explain(error: io::Error) -> io::Error {
    match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::PERM) => Refusal::NotPollable.into(),
        _ => error,
    }
}

#[cfg(windows)]
fn explain(error: io::Error) -> io::Error {
    error
}

/// Whether the kernel, or the poller, does not have what it should forget: a source that lets its
/// descriptor close takes its entry with it.
fn is_unknown(error: &io::Error) -> bool {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::BADF) {
        return true;
    }
    error.kind() == io::ErrorKind::NotFound
}
