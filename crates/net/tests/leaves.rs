//! Every operation on a socket, inside what others have built to run futures: `FuturesUnordered`,
//! `join!`, `select!`, and an executor that is not ours. On every backend.

mod socket_util;

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::Write;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::future::{block_on, or};
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, join, select};
use net::{AlreadyWaiting, Backend, EventLoop, TcpListener, TcpStream};
use socket_util::{
    LIMIT, any_port, drain_in_a_thread, fill, on_every_backend, pair_with_plain, plain_client,
};

/// An operation that has to wait.
#[derive(Clone, Copy, Debug)]
enum Leaf {
    Accept,
    Connect,
    Read,
    Chunk,
    Write,
    WriteAll,
}

const LEAVES: [Leaf; 6] =
    [Leaf::Accept, Leaf::Connect, Leaf::Read, Leaf::Chunk, Leaf::Write, Leaf::WriteAll];

type Operation = Pin<Box<dyn Future<Output = ()>>>;
type Cause = Box<dyn FnOnce()>;

/// An operation that is not ready, and what makes it so.
async fn prepare(leaf: Leaf) -> (Operation, Cause) {
    match leaf {
        Leaf::Accept => prepare_accept(),
        Leaf::Connect => prepare_connect(),
        Leaf::Read | Leaf::Chunk => prepare_read(leaf).await,
        Leaf::Write | Leaf::WriteAll => prepare_write(leaf).await,
    }
}

fn prepare_accept() -> (Operation, Cause) {
    let listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async move { listener.accept().await.map(drop).unwrap() };
    (Box::pin(accept), Box::new(move || drop(plain_client(address))))
}

/// Nothing has to happen for it but the loop's next look at what is ready.
fn prepare_connect() -> (Operation, Cause) {
    let listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = async move {
        TcpStream::connect(address).await.unwrap();
        drop(listener);
    };
    (Box::pin(connect), Box::new(|| {}))
}

async fn prepare_read(leaf: Leaf) -> (Operation, Cause) {
    let (mut stream, mut plain) = pair_with_plain().await;
    let read = async move {
        match leaf {
            Leaf::Chunk => assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"x"[..])),
            _ => assert_eq!(stream.read(&mut [0; 4]).await.unwrap(), 1),
        }
    };
    (Box::pin(read), Box::new(move || plain.write_all(b"x").unwrap()))
}

async fn prepare_write(leaf: Leaf) -> (Operation, Cause) {
    let (mut stream, plain) = pair_with_plain().await;
    fill(&mut stream).await;
    let write = async move {
        match leaf {
            Leaf::WriteAll => stream.write_all(&[0; 100_000]).await.unwrap(),
            _ => assert_ne!(stream.write(b"x").await.unwrap(), 0),
        }
    };
    (Box::pin(write), Box::new(move || drop(drain_in_a_thread(plain))))
}

/// Runs `body` for each operation, on every backend.
fn for_each_leaf<F>(body: impl Fn(Leaf) -> F + Copy + 'static)
where
    F: Future<Output = ()> + 'static,
{
    on_every_backend(move || async move {
        for leaf in LEAVES {
            eprintln!("{leaf:?}");
            body(leaf).await;
        }
    });
}

/// Ready once `operation` has been polled and is pending.
async fn begun(operation: &mut Operation) {
    let polled = poll_fn(|cx| Poll::Ready(operation.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
}

#[test]
fn in_a_task_of_its_own() {
    for_each_leaf(|leaf| async move {
        let (operation, cause) = prepare(leaf).await;
        let task = net::spawn(operation);
        net::yield_now().await;
        cause();
        task.await.unwrap();
    });
}

#[test]
fn in_futures_unordered() {
    for_each_leaf(|leaf| async move {
        let (mut all, mut causes) = (FuturesUnordered::new(), Vec::new());
        for _ in 0..3 {
            let (operation, cause) = prepare(leaf).await;
            all.push(operation);
            causes.push(cause);
        }
        // Each is pending when its cause comes, the last first.
        assert!(all.next().now_or_never().is_none());
        let mut ended = 0;
        while let Some(cause) = causes.pop() {
            cause();
            all.next().await.unwrap();
            ended += 1;
        }
        assert_eq!(ended, 3);
        assert!(all.next().await.is_none());
    });
}

#[test]
fn in_join() {
    for_each_leaf(|leaf| async move {
        let (first, first_cause) = prepare(leaf).await;
        let (second, second_cause) = prepare(leaf).await;
        let causes = async {
            net::yield_now().await;
            second_cause();
            net::yield_now().await;
            first_cause();
        };
        join!(first, causes, second);
    });
}

#[test]
fn in_select_with_a_loser_that_is_polled_again() {
    for_each_leaf(|leaf| async move {
        let (mut loser, loser_cause) = prepare(Leaf::Chunk).await;
        begun(&mut loser).await;
        let (winner, cause) = prepare(leaf).await;
        let task_of_cause = async {
            net::yield_now().await;
            cause();
            pending::<()>().await;
        };
        let (mut winner, mut loser) = (winner.fuse(), loser.fuse());
        let mut task_of_cause = pin!(task_of_cause.fuse());
        select! {
            () = winner => {}
            () = loser => panic!("it has nothing to read"),
            () = task_of_cause => unreachable!(),
        }
        loser_cause();
        loser.await;
    });
}

#[test]
fn moved_from_one_task_to_another_while_it_waits() {
    for_each_leaf(|leaf| async move {
        let (mut operation, cause) = prepare(leaf).await;
        begun(&mut operation).await;
        let task = net::spawn(operation);
        net::yield_now().await;
        cause();
        task.await.unwrap();
    });
}

#[test]
fn moved_out_of_futures_unordered_into_a_task_while_it_waits() {
    for_each_leaf(|leaf| async move {
        let (operation, cause) = prepare(leaf).await;
        let mut all = FuturesUnordered::from_iter([operation]);
        assert!(poll_fn(|cx| Poll::Ready(all.poll_next_unpin(cx))).await.is_pending());
        let operation = all.into_iter().next().unwrap();
        let task = net::spawn(operation);
        net::yield_now().await;
        cause();
        task.await.unwrap();
    });
}

/// Runs `future` on an executor that knows nothing of loops, and turns the loop beside it.
fn block_beside<T>(event_loop: &EventLoop, future: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let turning = async {
        loop {
            assert!(start.elapsed() < LIMIT, "the test takes too long");
            event_loop.turn(Some(Duration::from_millis(1))).unwrap();
            futures_lite::future::yield_now().await;
        }
    };
    event_loop.enter(|| block_on(or(future, turning)))
}

#[test]
fn under_a_foreign_executor() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        for leaf in LEAVES {
            eprintln!("{backend} {leaf:?}");
            block_beside(&event_loop, async {
                let (mut operation, cause) = prepare(leaf).await;
                begun(&mut operation).await;
                cause();
                operation.await;
            });
        }
        assert_eq!(event_loop.stats().socket_waits, 0);
    }
}

#[test]
fn two_tasks_that_accept_from_one_listener_are_told_apart() {
    on_every_backend(|| async {
        let listener = Rc::new(TcpListener::bind(any_port()).unwrap());
        let address = listener.local_addr().unwrap();
        let accepting = Rc::clone(&listener);
        let first = net::spawn(async move { accepting.accept().await.map(drop) });
        let second = net::spawn(async move { listener.accept().await.map(drop) });
        let (first_id, second_id) = (first.id(), second.id());
        let refused = second.await.unwrap().unwrap_err();
        let named: &AlreadyWaiting = refused.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!((named.first, named.second), (Some(first_id), Some(second_id)));
        let _plain = plain_client(address);
        first.await.unwrap().unwrap();
    });
}

/// Two accepts on one listener within `FuturesUnordered`: one is refused, or both are served; none is
/// forgotten.
#[test]
fn two_foreign_wakers_that_accept_from_one_listener_are_both_answered() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut all = FuturesUnordered::from_iter([listener.accept(), listener.accept()]);
        let refused = all.next().await.unwrap().unwrap_err();
        assert!(refused.get_ref().unwrap().is::<AlreadyWaiting>());
        let _plain = plain_client(address);
        all.next().await.unwrap().unwrap();
    });
}

async fn accept_and_count(listener: &TcpListener, accepted: &Cell<u32>) -> SocketAddr {
    let (_, peer) = listener.accept().await.unwrap();
    accepted.set(accepted.get() + 1);
    peer
}

#[test]
fn one_task_may_accept_twice_at_once() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Cell::new(0);
        let clients = async {
            net::yield_now().await;
            let first = plain_client(address);
            while accepted.get() < 1 {
                net::yield_now().await;
            }
            (first, plain_client(address))
        };
        let both = (accept_and_count(&listener, &accepted), accept_and_count(&listener, &accepted));
        let (one, other, _) = join!(both.0, both.1, clients);
        assert_ne!(one, other);
    });
}

#[test]
fn an_accept_that_one_task_gives_up_leaves_its_other_accept_waiting() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let given_up = Cell::new(false);
        let brief = async {
            let waited = net::timeout(Duration::from_millis(5), listener.accept()).await;
            assert!(waited.is_err());
            given_up.set(true);
        };
        let client = net::spawn(async move {
            net::sleep(Duration::from_millis(50)).await;
            plain_client(address)
        });
        let (accepted, ()) = join!(listener.accept(), brief);
        accepted.unwrap();
        assert!(given_up.get());
        client.await.unwrap();
    });
}
