//! The loop that joins a connection to its socket.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::answer::Answers;
use super::connection::{Connection, Next};
use super::date::date;
use super::{LINGER_BYTES, LINGER_TIME, REQUEST_TIME};
use crate::chunk::{self, CHUNK_SIZE, Chunk};
use crate::core::{Core, here};
use crate::family::Family;
use crate::stream::Stream;
use crate::time::{Elapsed, now, timeout};

/// Answers HTTP with a setting of its own; [`serve`](super::serve) does with the default.
///
/// ```
/// use std::time::Duration;
/// use net::programs::http::Service;
/// use net::{Server, TcpStream};
///
/// # net::EventLoop::new()?.run_until(async {
/// let server = Server::bind("127.0.0.1:0".parse().unwrap())?;
/// let address = server.local_addr()?;
/// let hasty = Service::default().request_time(Duration::from_millis(10));
/// net::spawn(server.serve(move |stream, peer| hasty.serve(stream, peer)));
///
/// let mut client = TcpStream::connect(address).await?;
/// client.write_all(b"GET / HTT").await?;
/// let answer = client.chunk().await?.unwrap();
/// assert!(answer.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Service {
    request_time: Duration,
}

impl Default for Service {
    fn default() -> Service {
        Service { request_time: REQUEST_TIME }
    }
}

impl Service {
    /// How long a request may take from its first byte to its last, instead of [`REQUEST_TIME`].
    #[must_use]
    pub fn request_time(self, request_time: Duration) -> Service {
        Service { request_time }
    }

    /// Serves one connection until its client leaves, or is told that it is closed.
    ///
    /// # Errors
    ///
    /// The future resolves to those of the connection.
    ///
    /// # Panics
    ///
    /// When the future is polled outside a loop.
    pub fn serve<K: Family>(
        self,
        mut stream: Stream<K>,
        _peer: K::Address,
    ) -> impl Future<Output = io::Result<()>> {
        let mut connection = Connection::new(self.request_time);
        // No `async fn`, which holds its arguments twice: every idle connection would.
        async move {
            let core = here("http");
            loop {
                let heard = match connection.deadline().map(until) {
                    None => stream.chunk().await?.map(Some),
                    Some(left) => match timeout(left, stream.chunk()).await {
                        Ok(heard) => heard?.map(Some),
                        Err(Elapsed) => Some(None),
                    },
                };
                let Some(chunk) = heard else { return Ok(()) };
                // When the time is up there is none, and the connection sees to it.
                let chunk = chunk.as_deref().unwrap_or_default();
                let mut taken = 0;
                let next = loop {
                    let Answered { room, length, next } = answer(&core, |answers| {
                        let mut bytes = &chunk[taken..];
                        let next = connection.advance(core.lap(), &mut bytes, answers);
                        taken = chunk.len() - bytes.len();
                        next
                    });
                    if length > 0 {
                        stream.write_all(&room[..length]).await?;
                    }
                    if next != Next::Write {
                        break next;
                    }
                };
                match next {
                    Next::Read | Next::Write => {}
                    Next::Close => return Ok(()),
                    // Boxed, because few connections end so, and all would be as large.
                    Next::Linger => return Box::pin(linger(&mut stream)).await,
                }
            }
        }
    }
}

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(now())
}

/// What a connection answered, in a buffer of the pool, and what comes then.
struct Answered {
    room: Chunk,
    length: usize,
    next: Next,
}

fn answer(core: &Core, advance: impl FnOnce(&mut Answers<'_>) -> Next) -> Answered {
    let mut room = Chunk::new(chunk::take(), CHUNK_SIZE);
    let mut answers = Answers::new(&mut room, date(core.time_of_day()));
    let next = advance(&mut answers);
    let length = answers.length();
    Answered { room, length, next }
}

/// Closes in steps, so that the client reads the answer: closed with bytes unread, the connection
/// would be reset, and the answer with it: RFC 9112, section 9.6.
async fn linger<K: Family>(stream: &mut Stream<K>) -> io::Result<()> {
    if stream.shutdown(Shutdown::Write).is_err() {
        // The client is gone already.
        return Ok(());
    }
    let drain = async {
        let mut allowed = LINGER_BYTES;
        while let Ok(Some(chunk)) = stream.chunk().await {
            match allowed.checked_sub(chunk.len()) {
                Some(left) => allowed = left,
                None => break,
            }
        }
    };
    // Long enough or not, it is closed then.
    let _ = timeout(LINGER_TIME, drain).await;
    Ok(())
}
