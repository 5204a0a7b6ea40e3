//! A task that is cancelled at every point at which it waits, in turn: nothing is left behind, and
//! what it worked with can be worked with.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_lite::future::or;
use net::sim::Sim;
use net::{Server, TcpStream, sleep, spawn, stats};

use crate::util::{PORT, SECOND, connect, everywhere, exchange, harmless, pattern};

/// More than a task here ever waits.
const MOST: usize = 1000;

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed).buffers(2048, 2048);
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    sim.host("client", async move || cancel_everywhere(server).await);
    sim
}

/// Runs the same work again and again, and drops it one wait later each time.
async fn cancel_everywhere(server: SocketAddr) -> io::Result<()> {
    for waits in 0..MOST {
        let done = Rc::new(Cell::new(false));
        let work = Dropping { future: Box::pin(work(server, Rc::clone(&done))), left: waits };
        spawn(work).await?;
        let left = stats();
        assert_eq!((left.socket_waits, left.timers), (0, 0), "left behind after {waits} waits");
        if done.get() {
            let bytes = pattern(1, 5000);
            assert_eq!(exchange(connect(server).await?, bytes.clone()).await?, bytes);
            return Ok(());
        }
    }
    Err(io::Error::other("the work did not end"))
}

/// Something of everything that waits.
async fn work(server: SocketAddr, done: Rc<Cell<bool>>) {
    let talk = async {
        let mut stream = TcpStream::connect(server).await?;
        let bytes = pattern(2, 30_000);
        // Nobody reads what comes back yet, so that this waits for room, and is dropped in its wait: the
        // other ends first, and this one is not polled again.
        or(sleep(SECOND), async { drop(stream.write_all(&bytes).await) }).await;
        let (mut reader, mut writer) = stream.split();
        let mut group = net::TaskGroup::<io::Error>::new();
        group.spawn(async move {
            while reader.chunk().await?.is_some() {}
            Ok(())
        });
        group.spawn(async move {
            // Another task than the one whose write was dropped, and at once, while there is no room.
            writer.write_all(&pattern(3, 3000)).await?;
            sleep(SECOND).await;
            writer.shutdown()
        });
        group.wait().await.map_err(|error| io::Error::other(error.to_string()))
    };
    if talk.await.is_ok() {
        done.set(true);
    }
}

/// Ends a future by dropping it after it has been pending so many times.
struct Dropping {
    future: Pin<Box<dyn Future<Output = ()>>>,
    left: usize,
}

impl Future for Dropping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = pin!(self.future.as_mut()).poll(cx);
        if polled.is_pending() && self.left > 0 {
            self.left -= 1;
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}
