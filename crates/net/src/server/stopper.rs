//! Asking a server to stop, from anywhere.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sched::{Slab, SlabId};

use crate::core::current;
use crate::listing::{WaitGuard, WaitKind};

/// Stops a [`Server`](crate::Server), from any task or thread.
#[derive(Clone, Debug, Default)]
pub struct Stopper(Arc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    /// Set by the first [`Stopper::stop`], and never cleared.
    asked: AtomicBool,
    /// Of those who wait for it.
    wakers: Mutex<Slab<Waker>>,
}

/// The future of [`Stopper::stopped`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Stopped {
    stop: Arc<Stop>,
    /// Where its waker lies.
    place: Option<SlabId>,
    wait: Option<WaitGuard>,
}

impl Stopper {
    /// Asks the server to stop; asking again changes nothing.
    pub fn stop(&self) {
        self.0.asked.store(true, Ordering::Release);
        let wakers = self.0.take_wakers();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether the server was asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.is_asked()
    }

    /// Waits until the server is asked to stop: for handlers that have something better to do then
    /// than to wait until the [`grace`](crate::Server::grace) is over. It takes some 150 bytes of
    /// each task that waits, for its waker and its place in the listing.
    ///
    /// ```
    /// use futures_lite::future::or;
    /// use net::{Stopper, TcpStream};
    ///
    /// /// Echoes lines, and says goodbye between two of them.
    /// async fn serve(mut stream: TcpStream, stopper: Stopper) -> std::io::Result<()> {
    ///     loop {
    ///         let stop = async { stopper.stopped().await; Ok(None) };
    ///         // What has come is read first: nothing that was sent is left unanswered.
    ///         let Some(line) = or(stream.chunk(), stop).await? else { break };
    ///         stream.write_all(&line).await?;
    ///     }
    ///     stream.write_all(b"goodbye\n").await
    /// }
    /// # net::EventLoop::new()?.run_until(async {
    /// # let server = net::Server::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let (address, stopper) = (server.local_addr()?, server.stopper());
    /// # let told = stopper.clone();
    /// # let serving = net::spawn(server.serve(move |stream, _| serve(stream, told.clone())));
    /// # let mut client = TcpStream::connect(address).await?;
    /// # client.write_all(b"hello\n").await?;
    /// # assert_eq!(client.chunk().await?.as_deref(), Some(&b"hello\n"[..]));
    /// # stopper.stop();
    /// # assert_eq!(client.chunk().await?.as_deref(), Some(&b"goodbye\n"[..]));
    /// # serving.await.unwrap()
    /// # })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stopped(&self) -> Stopped {
        Stopped { stop: Arc::clone(&self.0), place: None, wait: None }
    }
}

impl Stop {
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_wakers(&self) -> Vec<Waker> {
        let mut wakers = self.lock();
        let places: Vec<SlabId> = wakers.iter().map(|(place, _)| place).collect();
        places.into_iter().filter_map(|place| wakers.remove(place)).collect()
    }
}

impl Stopped {
    /// What `future` brings, unless the stop comes first.
    pub(super) async fn unless<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match Pin::new(&mut *self).poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// A waker is the user's code where it is not the loop's own: it is cloned and dropped without
    /// the lock.
    fn leave_waker(&mut self, cx: &Context<'_>) {
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        if self.place.is_some_and(|place| self.stop.lock().get(place).is_some_and(is_known)) {
            return;
        }
        self.take_waker();
        let waker = cx.waker().clone();
        self.place = Some(self.stop.lock().insert(waker));
    }

    fn take_waker(&mut self) {
        let waker = self.place.take().and_then(|place| self.stop.lock().remove(place));
        drop(waker);
    }
}

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The waker is left before the flag is read: a stop that comes between finds it.
        self.leave_waker(cx);
        if self.stop.is_asked() {
            self.take_waker();
            self.wait = None;
            return Poll::Ready(());
        }
        let before = self.wait.take();
        self.wait = current().ok().and_then(|core| core.wait_on(before, cx, WaitKind::Stop));
        Poll::Pending
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.take_waker();
    }
}
