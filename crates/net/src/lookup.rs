//! Addresses by name.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::core::current;
use crate::unblock::Call;

use sealed::Named;

/// What names addresses: `"host:port"`, `("host", port)`, or an address itself.
///
/// An IPv6 address with a port stands in brackets, `"[::1]:80"`; in a pair it stands alone.
pub trait ToAddresses: sealed::Sealed {}

impl ToAddresses for str {}
impl ToAddresses for String {}
impl ToAddresses for (&str, u16) {}
impl ToAddresses for (String, u16) {}
impl ToAddresses for SocketAddr {}
impl<T: ToAddresses + ?Sized> ToAddresses for &T {}

/// Finds the addresses of a host, in the order in which the system advises to try them, each once.
///
/// An address in digits is returned as it is, at once. A name is looked up by getaddrinfo(3) on a
/// thread of the loop's pool, under the limit of [`unblock`](crate::unblock): so it obeys the files
/// and settings of the system, and takes as long as that takes. Use [`timeout`](crate::timeout) to
/// wait less; the thread goes on to its end all the same.
///
/// # Errors
///
/// A [`LookupError`], which names the host, inside the `io::Error`: when the name has no address, no
/// answer came, or no thread can be started; with [`InvalidInput`](io::ErrorKind::InvalidInput) for
/// a text without a port. [`NoLoop`](crate::NoLoop) outside a loop.
///
/// ```
/// # net::EventLoop::new()?.run_until(async {
/// assert_eq!(net::lookup("127.0.0.1:80").await?, ["127.0.0.1:80".parse().unwrap()]);
/// let local = net::lookup(("localhost", 80)).await?;
/// assert!(local.iter().all(|address| address.ip().is_loopback()));
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn lookup(host: impl ToAddresses) -> io::Result<Vec<SocketAddr>> {
    let core = current()?;
    let named = host.named()?;
    let (host, port) = match named {
        Named::Address(address) => return Ok(vec![address]),
        Named::Host(host, port) => (host, port),
    };
    let failed = |cause| LookupError::of(&host, cause);
    let resolve = core.driver.resolver().map_err(failed)?;
    let name = host.clone();
    let mut call = Call::new(Rc::clone(&core), move || resolve(&name, port));
    let found = poll_fn(|cx| call.poll(cx)).await.flatten().map_err(failed)?;
    match each_once(found) {
        found if found.is_empty() => Err(failed(io::ErrorKind::NotFound.into())),
        found => Ok(found),
    }
}

/// Why a name led to no address. Its source is what the system says.
#[derive(Debug)]
pub struct LookupError {
    host: String,
    cause: io::Error,
}

impl LookupError {
    /// What a lookup of `host` fails with.
    fn of(host: &str, cause: io::Error) -> io::Error {
        // "Would block" would ask for another try when something is ready, and nothing will be.
        let kind = match cause.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::Other,
            kind => kind,
        };
        io::Error::new(kind, LookupError { host: host.to_owned(), cause })
    }

    /// The host, or the text that names none.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot find an address of {:?}: {}", self.host, self.cause)
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

mod sealed {
    use super::{IpAddr, LookupError, SocketAddr, io};

    pub trait Sealed {
        /// # Errors
        ///
        /// When there is no port.
        fn named(&self) -> io::Result<Named>;
    }

    #[derive(Debug)]
    pub enum Named {
        Address(SocketAddr),
        Host(String, u16),
    }

    impl Named {
        fn new(host: &str, port: u16) -> Named {
            match host.parse::<IpAddr>() {
                Ok(ip) => Named::Address((ip, port).into()),
                Err(_) => Named::Host(host.to_owned(), port),
            }
        }
    }

    impl Sealed for str {
        fn named(&self) -> io::Result<Named> {
            if let Ok(address) = self.parse() {
                return Ok(Named::Address(address));
            }
            let parts = self.rsplit_once(':');
            let named = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
            named.map(|(host, port)| Named::new(host, port)).ok_or_else(|| {
                let expected = "it should read host:port";
                LookupError::of(self, io::Error::new(io::ErrorKind::InvalidInput, expected))
            })
        }
    }

    impl Sealed for String {
        fn named(&self) -> io::Result<Named> {
            self.as_str().named()
        }
    }

    impl Sealed for (&str, u16) {
        fn named(&self) -> io::Result<Named> {
            Ok(Named::new(self.0, self.1))
        }
    }

    impl Sealed for (String, u16) {
        fn named(&self) -> io::Result<Named> {
            Ok(Named::new(&self.0, self.1))
        }
    }

    impl Sealed for SocketAddr {
        fn named(&self) -> io::Result<Named> {
            Ok(Named::Address(*self))
        }
    }

    impl<T: Sealed + ?Sized> Sealed for &T {
        fn named(&self) -> io::Result<Named> {
            (**self).named()
        }
    }
}

/// Files of hosts may name one address several times.
fn each_once(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses
}
