//! Connecting to whichever of several addresses answers first.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::core::{Core, current};
use crate::driver::is_unreachable;
use crate::lookup::{ToAddresses, lookup};
use crate::stream::TcpStream;
use crate::time::Sleep;

/// How long an attempt to connect may go on before the next address is tried beside it: the
/// "connection attempt delay" that RFC 8305 recommends.
pub const CONNECT_DELAY: Duration = Duration::from_millis(250);

/// Attempts of one connect that go on at the same time; with so many, the next address waits for one
/// to fail.
pub const CONNECT_ATTEMPTS: usize = 16;

impl TcpStream {
    /// Connects to whichever of `addresses` answers first, in the spirit of RFC 8305 ("happy
    /// eyeballs").
    ///
    /// IPv6 and IPv4 addresses take turns, beginning with the family of the first one, and otherwise
    /// in the order given. The next attempt begins when the one before has failed or gone on for
    /// [`CONNECT_DELAY`], so that a dead first address costs a fraction of a second. The others are
    /// dropped when one has connected, and all when this future is dropped.
    ///
    /// # Errors
    ///
    /// A [`ConnectError`] when every attempt has failed, with the kind of the first failure that came
    /// from a host, and not from the lack of a way to it; where there is none, of the first.
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) without an address;
    /// [`NoLoop`](crate::NoLoop) outside a loop.
    ///
    /// ```
    /// # net::EventLoop::new()?.run_until(async {
    /// let listener = net::TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let address = listener.local_addr()?;
    /// let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    /// let stream = net::TcpStream::connect_any(&[nobody, address]).await?;
    /// assert_eq!(stream.peer_addr()?, address);
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut race = Race::new(current()?, addresses);
        poll_fn(|cx| race.poll(cx)).await
    }

    /// Looks up `host`, as [`lookup`](crate::lookup) does, and connects to whichever of its addresses
    /// answers first, as [`TcpStream::connect_any`] does.
    ///
    /// # Errors
    ///
    /// Those of the two.
    ///
    /// ```
    /// # net::EventLoop::new()?.run_until(async {
    /// let listener = net::TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let port = listener.local_addr()?.port();
    /// let stream = net::TcpStream::connect_to(("localhost", port)).await?;
    /// assert_eq!(stream.peer_addr()?.port(), port);
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn connect_to(host: impl ToAddresses) -> io::Result<TcpStream> {
        TcpStream::connect_any(&lookup(host).await?).await
    }
}

/// Why no address could be connected to: what became of each, in the order of the failures.
#[derive(Debug)]
pub struct ConnectError(Vec<(SocketAddr, io::Error)>);

impl ConnectError {
    /// Each address with its failure.
    #[must_use]
    pub fn failures(&self) -> &[(SocketAddr, io::Error)] {
        &self.0
    }

    /// The failure that says most.
    fn foremost(&self) -> Option<&io::Error> {
        let answered = self.0.iter().find(|(_, error)| !is_unreachable(error));
        answered.or(self.0.first()).map(|(_, error)| error)
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> io::Error {
        let kind = error.foremost().map_or(io::ErrorKind::InvalidInput, io::Error::kind);
        io::Error::new(kind, error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")?;
        if self.0.is_empty() {
            f.write_str(": there is no address")?;
        }
        for (index, (address, error)) in self.0.iter().enumerate() {
            write!(f, "{} {address}: {error}", if index == 0 { " to" } else { "; to" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.foremost().map(|error| error as _)
    }
}

/// Attempts to connect that run against each other.
struct Race {
    core: Rc<Core>,
    /// Not tried yet.
    addresses: VecDeque<SocketAddr>,
    /// In the order in which they began.
    attempts: Vec<Attempt>,
    /// Until the next address is tried; none when it may be at once.
    delay: Option<Sleep>,
    failures: Vec<(SocketAddr, io::Error)>,
}

type Attempt = (SocketAddr, Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>);

impl Race {
    fn new(core: Rc<Core>, addresses: &[SocketAddr]) -> Race {
        let addresses = in_turn(addresses);
        Race { core, addresses, attempts: Vec::new(), delay: None, failures: Vec::new() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Poll::Ready(stream) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(stream));
            }
            if self.addresses.is_empty() {
                self.delay = None;
                if !self.attempts.is_empty() {
                    return Poll::Pending;
                }
                let failures = std::mem::take(&mut self.failures);
                return Poll::Ready(Err(ConnectError(failures).into()));
            }
            if self.attempts.len() == CONNECT_ATTEMPTS {
                return Poll::Pending;
            }
            if let Some(delay) = &mut self.delay
                && Pin::new(delay).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            self.begin_next();
        }
    }

    /// The stream of the first attempt that has connected. Failures are put aside, and make room for
    /// the next attempt at once.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Poll<TcpStream> {
        let mut index = 0;
        while let Some((address, attempt)) = self.attempts.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(stream)) => return Poll::Ready(stream),
                Poll::Ready(Err(error)) => {
                    self.failures.push((*address, error));
                    drop(self.attempts.remove(index));
                    self.delay = None;
                }
            }
        }
        Poll::Pending
    }

    fn begin_next(&mut self) {
        if let Some(address) = self.addresses.pop_front() {
            self.attempts.push((address, Box::pin(TcpStream::connect(address))));
            let until = self.core.driver.now().checked_add(CONNECT_DELAY);
            self.delay = Some(Sleep::new(Rc::clone(&self.core), until));
        }
    }
}

/// The families in turn, beginning with that of the first address, until one is used up.
fn in_turn(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let v6_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let family = |v6| addresses.iter().copied().filter(move |address| address.is_ipv6() == v6);
    let (mut first, mut second) = (family(v6_first), family(!v6_first));
    let mut turns = VecDeque::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return turns,
            pair => turns.extend([pair.0, pair.1].into_iter().flatten()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(addresses: &[&str]) -> Vec<String> {
        let full = |ip: &&str| SocketAddr::new(ip.parse().expect("an address"), 80);
        let addresses: Vec<SocketAddr> = addresses.iter().map(full).collect();
        in_turn(&addresses).iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn families_take_turns_and_keep_their_order() {
        let mixed = ["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"];
        assert_eq!(turns(&mixed), ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]);
        let mixed = ["1.1.1.1", "2.2.2.2", "3.3.3.3", "::1"];
        assert_eq!(turns(&mixed), ["1.1.1.1", "::1", "2.2.2.2", "3.3.3.3"]);
        assert_eq!(turns(&["1.1.1.1", "2.2.2.2"]), ["1.1.1.1", "2.2.2.2"]);
        assert!(turns(&[]).is_empty());
    }
}
