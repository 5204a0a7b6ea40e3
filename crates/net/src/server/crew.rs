//! The threads of a server at work.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::accepting::Holder;
use super::connections::{Connections, left};
use super::limits::Settings;
use super::mailboxes::{Mailboxes, hear};
use super::threads::{EachLoop, THREAD_PATIENCE};
use super::{Served, Stopper};
use crate::core::{Core, here};
use crate::driver::{Driver, Passing, Socket};
use crate::event_loop::EventLoop;
use crate::failure::{Cause, message};
use crate::family::Family;
use crate::group::TaskGroup;
use crate::relay::{Receiver, Sender, relay};
use crate::stream::Stream;
use crate::time::timeout;
use crate::trace;

/// What the other threads share, and who waits for them. Dropping it ends them at once, and waits
/// for none.
pub(super) struct Crew<K: Family> {
    mailboxes: Arc<Mailboxes<K>>,
    /// One task for each thread: the first thread's own work; of the others, who waits for their end.
    threads: TaskGroup<io::Error>,
    /// What they have done.
    served: Rc<Cell<Served>>,
    abandon: Stopper,
}

/// One thread's part.
struct Worker<K: Family, H> {
    thread: usize,
    mailboxes: Arc<Mailboxes<K>>,
    settings: Settings,
    handler: H,
}

/// A further thread as the first one knows it.
struct Started {
    /// Told when its loop is ready to serve.
    ready: Receiver<()>,
    /// Told when everything that it had has been dropped.
    ended: Receiver<io::Result<Served>>,
}

impl<K: Family> Crew<K> {
    /// Starts the threads, and waits until each is ready.
    ///
    /// # Errors
    ///
    /// When one cannot be started, or ends before it is ready; the others end then.
    pub(super) async fn start<H, F>(
        core: &Core,
        threads: usize,
        settings: Settings,
        each_loop: EachLoop,
        handler: H,
    ) -> io::Result<Crew<K>>
    where
        H: Fn(Stream<K>, K::Address) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let mailboxes = Arc::new(Mailboxes::new(threads, settings.max_connections));
        let crew = Crew {
            mailboxes: Arc::clone(&mailboxes),
            threads: TaskGroup::reporting(|_| false, None),
            served: Rc::default(),
            abandon: Stopper::default(),
        };
        let worker = |thread| {
            let (mailboxes, handler) = (Arc::clone(&mailboxes), handler.clone());
            Worker { thread, mailboxes, settings, handler }
        };
        let mut started = Vec::new();
        for thread in 1..threads {
            let each_loop = Arc::clone(&each_loop);
            let begun = start_thread(&core.driver, worker(thread), each_loop, crew.abandon.clone());
            started.push(begun.map_err(|error| failed(thread, "cannot be started", &error))?);
        }
        for (thread, Started { mut ready, mut ended }) in (1..).zip(started) {
            if hear(|waker| ready.poll(waker)).await.is_none() {
                let error = end(&mut ended).await.err().unwrap_or_else(unheard);
                return Err(failed(thread, "cannot serve", &error));
            }
            crew.watch(thread, ended);
        }
        crew.work(worker(0));
        Ok(crew)
    }

    /// Does the first thread's part.
    fn work<H, F>(&self, worker: Worker<K, H>)
    where
        H: Fn(Stream<K>, K::Address) -> F + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let served = Rc::clone(&self.served);
        self.threads.spawn_named(name(0), async move {
            add(&served, worker.work().await);
            Ok(())
        });
    }

    /// Has a task wait for the end of a further thread, and take care of what one that dies leaves.
    fn watch(&self, thread: usize, mut ended: Receiver<io::Result<Served>>) {
        let (served, mailboxes) = (Rc::clone(&self.served), Arc::clone(&self.mailboxes));
        self.threads.spawn_named(name(thread), async move {
            match end(&mut ended).await {
                Ok(done) => add(&served, done),
                Err(error) => {
                    mailboxes.bury(thread);
                    return Err(failed(thread, "has ended with its connections", &error));
                }
            }
            Ok(())
        });
    }
}

impl<K: Family> Holder<K> for Crew<K> {
    fn len(&self) -> usize {
        self.mailboxes.held()
    }

    async fn room(&self) {
        self.mailboxes.room().await;
    }

    fn take(&mut self, socket: Socket, peer: K::Address) -> io::Result<()> {
        self.mailboxes.post((Passing::new(socket)?, peer));
        Ok(())
    }

    async fn finish(self, deadline: Option<Instant>) -> Served {
        self.mailboxes.close(deadline);
        let patience = left(deadline).saturating_add(THREAD_PATIENCE);
        let ended = timeout(patience, self.threads.until(0)).await;
        let mut served = self.served.get();
        if ended.is_err() {
            served.cancelled += self.mailboxes.held();
        }
        served
    }
}

impl<K: Family> Drop for Crew<K> {
    fn drop(&mut self) {
        self.abandon.stop();
    }
}

impl<K, H, F> Worker<K, H>
where
    K: Family,
    H: Fn(Stream<K>, K::Address) -> F,
    F: Future<Output = io::Result<()>> + 'static,
{
    /// Serves what comes into this thread's box.
    async fn work(self) -> Served {
        let Worker { thread, mailboxes, settings, handler } = self;
        let left = {
            let mailboxes = Arc::clone(&mailboxes);
            Rc::new(move || mailboxes.left(thread))
        };
        let mut connections = Connections::new(settings, handler, Some(left));
        while let Some((socket, peer)) = mailboxes.next(thread).await {
            if let Err(error) = connections.take(socket.arrive(), peer) {
                mailboxes.left(thread);
                let core = here("Server");
                core.report(core.scheduler.running(), Cause::Accept(&error));
            }
        }
        connections.finish(mailboxes.deadline()).await
    }
}

fn start_thread<K, H, F>(
    driver: &Driver,
    worker: Worker<K, H>,
    each_loop: EachLoop,
    abandon: Stopper,
) -> io::Result<Started>
where
    K: Family,
    H: Fn(Stream<K>, K::Address) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    let (tell_ready, ready) = relay();
    let (tell_end, ended) = relay();
    driver.start_thread(name(worker.thread), move |driver| {
        let run = || run(EventLoop::over(driver?), worker, &*each_loop, &tell_ready, abandon);
        let served = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
            Err(io::Error::other(format!("it panicked: {}", message(&*payload))))
        });
        drop(tell_ready);
        // Nobody waits for it any more where the server has been dropped.
        let _ = tell_end.send(served);
    })?;
    Ok(Started { ready, ended })
}

/// What a further thread does, from the beginning to the end of its loop.
fn run<K, H, F>(
    event_loop: EventLoop,
    worker: Worker<K, H>,
    each_loop: &dyn Fn(&EventLoop),
    ready: &Sender<()>,
    abandon: Stopper,
) -> io::Result<Served>
where
    K: Family,
    H: Fn(Stream<K>, K::Address) -> F + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    event_loop.enter(|| each_loop(&event_loop));
    // Nobody waits for it any more where the server has been dropped.
    let _ = ready.send(());
    trace::event!(DEBUG, thread = worker.thread + 1, "serves");
    let served = event_loop.run_until(async move {
        let mut abandoned = abandon.stopped();
        abandoned.unless(worker.work()).await
    })?;
    Ok(served.unwrap_or_default())
}

/// How a thread has ended.
async fn end(ended: &mut Receiver<io::Result<Served>>) -> io::Result<Served> {
    hear(|waker| ended.poll(waker)).await.unwrap_or_else(|| Err(unheard()))
}

fn unheard() -> io::Error {
    io::Error::other("it has not said why")
}

/// An error with the thread's name, under the kind that it had.
fn failed(thread: usize, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} {what}: {error}", name(thread)))
}

/// As listings, reports and debuggers show it; Linux shows fifteen bytes.
fn name(thread: usize) -> String {
    format!("server thread {}", thread + 1)
}

fn add(served: &Cell<Served>, done: Served) {
    let Served { accepted, cancelled, timed_out } = served.get();
    served.set(Served {
        accepted: accepted + done.accepted,
        cancelled: cancelled + done.cancelled,
        timed_out: timed_out + done.timed_out,
    });
}
