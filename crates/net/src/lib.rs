//! An event loop: a run queue of tasks, and a selector that says which of them can go on.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::task::{Poll, Waker};

use generator::FromFuture;
use poll::{Events, Interest, Key, Selector};
use sched::Scheduler;
use socket2::Socket;

/// The loop: `tasks` are in the scheduler, `to_read` are the wakers of those that wait.
#[derive(Debug)]
pub struct EventLoop {
    scheduler: Scheduler<()>,
    selector: RefCell<Selector<Rc<Socket>>>,
    to_read: RefCell<HashMap<Key, Waker>>,
}

impl EventLoop {
    /// Answers `Hello world` to every read on every connection of `listener`, for ever.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn hello(listener: Socket) -> io::Result<()> {
        let event_loop = Rc::new(EventLoop {
            scheduler: Scheduler::new(),
            selector: RefCell::new(Selector::new()?),
            to_read: RefCell::default(),
        });
        event_loop.spawn(server(Rc::clone(&event_loop), Rc::new(listener)));
        event_loop.run()
    }

    fn spawn(&self, future: impl Future<Output = io::Result<()>> + 'static) {
        let end = async move {
            if let Err(error) = future.await {
                eprintln!("{error}");
            }
        };
        self.scheduler.spawn(FromFuture::new(Box::pin(end)));
    }

    fn run(&self) -> io::Result<()> {
        loop {
            while self.scheduler.step().is_ok() {}
            let mut events = Events::new();
            self.selector.borrow_mut().select(&mut events, None)?;
            for event in &events {
                if let Some(task) = self.to_read.borrow_mut().remove(&event.key) {
                    task.wake();
                }
            }
        }
    }

    async fn readable(&self, key: Key) {
        let asked = Cell::new(false);
        std::future::poll_fn(|cx| {
            if asked.replace(true) {
                return Poll::Ready(());
            }
            self.to_read.borrow_mut().insert(key, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

async fn server(event_loop: Rc<EventLoop>, listener: Rc<Socket>) -> io::Result<()> {
    let key =
        event_loop.selector.borrow_mut().register(Rc::clone(&listener), Interest::READ, ())?;
    loop {
        event_loop.readable(key).await;
        let (socket, address) = listener.accept()?;
        if let Some(address) = address.as_socket() {
            println!("Connection from {address}");
        }
        event_loop.spawn(client(Rc::clone(&event_loop), Rc::new(socket)));
    }
}

async fn client(event_loop: Rc<EventLoop>, socket: Rc<Socket>) -> io::Result<()> {
    let key = event_loop.selector.borrow_mut().register(Rc::clone(&socket), Interest::READ, ())?;
    let mut request = [0; 4096];
    loop {
        event_loop.readable(key).await;
        if (&*socket).read(&mut request)? == 0 {
            break;
        }
        (&*socket).write_all(b"Hello world\n")?;
    }
    event_loop.selector.borrow_mut().unregister(key)?;
    Ok(())
}
