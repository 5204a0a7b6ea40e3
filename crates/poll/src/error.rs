//! Why the selector refuses, and what it gives back.

use std::error::Error;
use std::fmt;
use std::io;

use crate::backend::Backend;
use crate::interest::Mode;
use crate::key::Key;

/// Why the selector itself, not the kernel, refused something.
///
/// It travels inside an [`io::Error`]; [`Refusal::of`] finds it there.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use poll::{Interest, Refusal, Selector};
///
/// let mut selector = Selector::<std::fs::File>::new()?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// let refused = selector.register(file, Interest::READ, ()).unwrap_err();
/// assert_eq!(Refusal::of(refused.error()), Some(&Refusal::NotPollable));
/// let (_error, _file, ()) = refused.into_parts();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The key's registration is gone. Of kind [`NotFound`](io::ErrorKind::NotFound).
    StaleKey(Key),
    /// The source names another descriptor than it did when it was registered. Of kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput). [`Selector::discard`] still removes it.
    ///
    /// [`Selector::discard`]: crate::Selector::discard
    SourceChanged(Key),
    /// The source has no readiness to wait for: a regular file or a directory. Of kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput).
    NotPollable,
    /// The source's descriptor is registered already. Of kind
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists).
    AlreadyRegistered,
    /// The backend has no such mode. Of kind [`Unsupported`](io::ErrorKind::Unsupported).
    NoSuchMode(Backend, Mode),
    /// The backend cannot wait for priority data here. Of kind
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    NoPriority(Backend),
    /// This platform lacks the backend. Of kind [`Unsupported`](io::ErrorKind::Unsupported).
    MissingBackend(Backend),
    /// No backend has this name. Of kind [`InvalidInput`](io::ErrorKind::InvalidInput).
    UnknownBackend(String),
    /// All 2³² - 1 slots are taken or retired. Of kind
    /// [`QuotaExceeded`](io::ErrorKind::QuotaExceeded).
    Full,
}

impl Refusal {
    /// The refusal inside `error`, if the selector made it and not the kernel.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    fn kind(&self) -> io::ErrorKind {
        match self {
            Self::StaleKey(_) => io::ErrorKind::NotFound,
            Self::AlreadyRegistered => io::ErrorKind::AlreadyExists,
            Self::Full => io::ErrorKind::QuotaExceeded,
            Self::SourceChanged(_) | Self::NotPollable | Self::UnknownBackend(_) => {
                io::ErrorKind::InvalidInput
            }
            Self::NoSuchMode(..) | Self::NoPriority(_) | Self::MissingBackend(_) => {
                io::ErrorKind::Unsupported
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleKey(key) => write!(f, "the registration of {key:?} is gone"),
            Self::SourceChanged(key) => {
                write!(f, "the source of {key:?} names another descriptor than when registered")
            }
            Self::NotPollable => {
                f.write_str("a regular file or directory has no readiness to wait for")
            }
            Self::AlreadyRegistered => f.write_str("the descriptor is registered already"),
            Self::NoSuchMode(backend, mode) => {
                write!(f, "the backend {backend} has no mode {mode:?}")
            }
            Self::NoPriority(backend) => {
                write!(f, "the backend {backend} cannot wait for priority data here")
            }
            Self::MissingBackend(backend) => {
                write!(f, "no backend {backend} on this platform, only {}", Present)
            }
            Self::UnknownBackend(name) => {
                write!(f, "no backend is named {name:?}; here are {}", Present)
            }
            Self::Full => f.write_str("all slots of the selector are taken"),
        }
    }
}

impl Error for Refusal {}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind(), refusal)
    }
}

/// A registration that was refused: the cause, and the source and data given back.
///
/// `?` turns it into its [`io::Error`], which drops the source and the data.
pub struct RegisterError<S, D> {
    error: io::Error,
    source: S,
    data: D,
}

impl<S, D> RegisterError<S, D> {
    pub(crate) fn new(error: io::Error, source: S, data: D) -> Self {
        Self { error, source, data }
    }

    /// The cause.
    pub fn error(&self) -> &io::Error {
        &self.error
    }

    /// The kind of the cause.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }

    /// The cause, the source and the data.
    pub fn into_parts(self) -> (io::Error, S, D) {
        (self.error, self.source, self.data)
    }
}

impl<S, D> fmt::Debug for RegisterError<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegisterError").field(&self.error).finish()
    }
}

impl<S, D> fmt::Display for RegisterError<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot register: {}", self.error)
    }
}

impl<S, D> Error for RegisterError<S, D> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl<S, D> From<RegisterError<S, D>> for io::Error {
    fn from(refused: RegisterError<S, D>) -> Self {
        refused.error
    }
}

/// New data for a registration that is gone: the key, and the data given back.
///
/// `?` turns it into an [`io::Error`] with [`Refusal::StaleKey`], which drops the data.
pub struct StaleKey<D> {
    key: Key,
    data: D,
}

impl<D> StaleKey<D> {
    pub(crate) fn new(key: Key, data: D) -> Self {
        Self { key, data }
    }

    /// The data.
    pub fn into_data(self) -> D {
        self.data
    }
}

impl<D> fmt::Debug for StaleKey<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StaleKey").field(&self.key).finish()
    }
}

impl<D> fmt::Display for StaleKey<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Refusal::StaleKey(self.key).fmt(f)
    }
}

impl<D> Error for StaleKey<D> {}

impl<D> From<StaleKey<D>> for io::Error {
    fn from(stale: StaleKey<D>) -> Self {
        Refusal::StaleKey(stale.key).into()
    }
}

/// The backends of this platform, with commas between them.
struct Present;

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for backend in Backend::available() {
            write!(f, "{comma}{backend}")?;
            comma = ", ";
        }
        Ok(())
    }
}
