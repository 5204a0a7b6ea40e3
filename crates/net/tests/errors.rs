//! Typed errors: outside a loop, on another loop of the thread, after the loop.

mod util;

use std::io::ErrorKind;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use net::{
    AlreadyWaiting, Direction, EventLoop, NoLoop, RunError, TaskGroup, TcpListener, TcpStream,
    WrongLoop,
};
use util::{SECOND, cause, connected, listener, panic_of, run};

#[test]
fn what_needs_a_loop_panics_without_one_and_says_so() {
    let clear = |what: &str, said: String| {
        assert!(said.starts_with(&format!("{what}: no event loop runs on this thread")), "{said}");
    };
    clear("spawn", panic_of(|| net::spawn(async {})));
    clear("sleep", panic_of(|| net::sleep(SECOND)));
    clear("sleep_until", panic_of(|| net::sleep_until(std::time::Instant::now())));
    clear("interval", panic_of(|| net::interval(SECOND)));
    clear("now", panic_of(net::now));
    clear("TaskGroup", panic_of(TaskGroup::<()>::new));
    assert!(panic_of(|| net::timeout(SECOND, async {})).contains("no event loop"));
    let (event_loop, _) = EventLoop::manual();
    let zero = panic_of(|| event_loop.enter(|| net::interval(std::time::Duration::ZERO)));
    assert_eq!(zero, "an interval needs a period longer than zero");
}

#[test]
fn sockets_say_so_in_their_error() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let error = TcpListener::bind(address).expect_err("no loop");
    assert_eq!((error.kind(), cause::<NoLoop>(&error)), (ErrorKind::NotConnected, &NoLoop));
    let connecting = TcpStream::connect("127.0.0.1:9".parse().expect("an address"));
    let error = connecting.now_or_never().expect("at once").expect_err("no loop");
    assert_eq!(cause::<NoLoop>(&error), &NoLoop);
}

#[test]
fn a_manual_clock_has_no_sockets() {
    let (event_loop, _) = EventLoop::manual();
    let address = "127.0.0.1:0".parse().expect("an address");
    let error = event_loop.enter(|| TcpListener::bind(address)).expect_err("no sockets");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_socket_waits_on_no_other_loop_of_its_thread() {
    let owner = EventLoop::new().expect("a loop");
    let (mut near, _far) = run(&owner, connected());
    let listener = owner.enter(listener);
    let other = EventLoop::new().expect("a loop");
    let (read, accepted) = run(&other, async move {
        let read = near.chunk().await.map(drop);
        (read, listener.accept().await.map(drop))
    });
    for error in [read.expect_err("refused"), accepted.expect_err("refused")] {
        assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Other);
    }
    assert_eq!((owner.stats().socket_waits, other.stats().socket_waits), (0, 0));
}

#[test]
fn a_socket_that_outlives_its_loop_refuses_to_wait() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, far) = run(&event_loop, connected());
    drop(event_loop);
    let error = near.chunk().now_or_never().expect("at once").expect_err("refused");
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    let other = EventLoop::new().expect("a loop");
    let error = run(&other, async move { near.chunk().await.map(drop) });
    assert_eq!(cause::<WrongLoop>(&error.expect_err("refused")), &WrongLoop::Gone);
    drop(far);
}

#[test]
fn a_second_task_in_one_direction_is_refused_by_name() {
    let event_loop = EventLoop::new().expect("a loop");
    let listener = Rc::new(event_loop.enter(listener));
    let accept = |listener: Rc<TcpListener>| {
        event_loop.spawn(async move { listener.accept().await.map(drop) })
    };
    let (first, second) = (accept(Rc::clone(&listener)), accept(listener));
    let ids = (Some(first.id()), Some(second.id()));
    let said = format!(
        "task {} already waits to read from this socket; task {} was refused",
        first.id(),
        second.id()
    );
    let error = run(&event_loop, second).expect("a value").expect_err("refused");
    let expected = AlreadyWaiting { direction: Direction::Read, first: ids.0, second: ids.1 };
    assert_eq!(cause::<AlreadyWaiting>(&error), &expected);
    assert_eq!(error.to_string(), said);
    assert!(!first.is_finished());
}

#[test]
fn a_waiter_that_was_cancelled_stands_in_nobodys_way() {
    let event_loop = EventLoop::new().expect("a loop");
    let listener = Rc::new(event_loop.enter(listener));
    let address = listener.local_addr().expect("an address");
    let waiting = Rc::clone(&listener);
    let first = event_loop.spawn(async move { waiting.accept().await.map(drop) });
    event_loop.turn(Some(std::time::Duration::ZERO)).expect("a turn");
    assert!(first.cancel());
    run(&event_loop, async move {
        let client = net::spawn(TcpStream::connect(address));
        listener.accept().await.expect("a connection");
        client.await.expect("a value").expect("a connection");
    });
}

#[test]
fn a_second_foreign_waker_in_one_direction_is_refused() {
    let event_loop = EventLoop::new().expect("a loop");
    let listener = event_loop.enter(listener);
    let address = listener.local_addr().expect("an address");
    run(&event_loop, async move {
        let mut accepts = FuturesUnordered::new();
        accepts.push(listener.accept());
        accepts.push(listener.accept());
        let refused = accepts.next().await.expect("two").expect_err("refused");
        let cause = cause::<AlreadyWaiting>(&refused);
        assert_eq!((cause.first, cause.second), (None, None));
        let client = net::spawn(TcpStream::connect(address));
        accepts.next().await.expect("the other").expect("a connection");
        client.await.expect("a value").expect("a connection");
    });
}

#[test]
fn errors_of_a_run_become_errors_of_the_system_and_keep_their_cause() {
    let error = std::io::Error::from(RunError::Nested);
    assert!(matches!(cause::<RunError>(&error), RunError::Nested));
    let error = std::io::Error::from(RunError::Io(ErrorKind::AddrInUse.into()));
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_foreign_leaf_that_was_woken_ends_nobody_elses_wait() {
    let event_loop = EventLoop::new().expect("a loop");
    let listener = event_loop.enter(listener);
    let address = listener.local_addr().expect("an address");
    run(&event_loop, async move {
        let (mut early, mut late) = (FuturesUnordered::new(), FuturesUnordered::new());
        early.push(listener.accept());
        assert!(futures_util::poll!(early.next()).is_pending());
        let client = TcpStream::connect(address).await.expect("a connection");
        while listener.try_accept().is_err() {
            net::yield_now().await;
        }
        // The early one has been woken for what is gone; now the late one waits.
        late.push(listener.accept());
        assert!(futures_util::poll!(late.next()).is_pending());
        drop(early);
        let second = net::spawn(TcpStream::connect(address));
        late.next().await.expect("one").expect("a second connection");
        second.await.expect("a value").expect("a connection");
        drop(client);
    });
}

/// A waker that panics when it is called.
struct Explosive;

impl std::task::Wake for Explosive {
    fn wake(self: std::sync::Arc<Self>) {
        panic!("no, thank you");
    }
}

#[test]
fn a_foreign_waker_that_panics_keeps_nobody_else_asleep() {
    use std::task::{Context, Waker};
    let (event_loop, _clock) = EventLoop::manual();
    let failures = util::failures(&event_loop);
    let woken = run(&event_loop, async {
        let explosive = Waker::from(std::sync::Arc::new(Explosive));
        let mut touchy = Box::pin(net::sleep(util::SECOND));
        let polled = touchy.as_mut().poll(&mut Context::from_waker(&explosive));
        assert!(polled.is_pending());
        net::sleep(util::SECOND).await;
        true
    });
    assert!(woken);
    assert_eq!(failures.take(), ["a waker panicked: no, thank you"]);
}
