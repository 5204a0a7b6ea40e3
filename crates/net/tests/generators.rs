//! Tasks written as generators: what they yield is granted, or refused at the yield.

mod util;

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use generator::{Co, Gen};
use net::{
    AlreadyWaiting, Ask, Backend, Direction, EventLoop, JoinError, JoinHandle, TcpListener,
    TcpStream, WaitKind, WrongLoop,
};
use util::{Drops, Log, SECOND, cause, connected, failures, hold, listener, run, stuck};

type Yields = Co<Ask, io::Result<()>>;

fn start<F, B>(event_loop: &EventLoop, body: B) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    B: FnOnce(Yields) -> F,
{
    event_loop.spawn_generator(Gen::new(body))
}

async fn accept(co: &Yields, listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        match listener.try_accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                co.yield_(Ask::read(listener)).await?;
            }
            accepted => return accepted.map(|(stream, _)| stream),
        }
    }
}

async fn read(co: &Yields, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.try_read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                co.yield_(Ask::read(stream)).await?;
            }
            done => return done,
        }
    }
}

async fn write_all(co: &Yields, stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                co.yield_(Ask::write(stream)).await?;
            }
            sent => bytes = &bytes[sent?..],
        }
    }
    Ok(())
}

/// Sends back what one client sends, and returns how much that was.
async fn echo(co: &Yields, listener: &TcpListener) -> io::Result<usize> {
    let mut stream = accept(co, listener).await?;
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match read(co, &mut stream, &mut buffer).await? {
            0 => return Ok(total),
            count => write_all(co, &mut stream, &buffer[..count]).await?,
        }
        total += 1;
    }
}

/// Writes a lot before it reads, so that the other side runs out of room.
async fn client(address: std::net::SocketAddr, bytes: usize) -> io::Result<usize> {
    let stream = TcpStream::connect(address).await?;
    let (mut reader, mut writer) = stream.split();
    let writing = net::spawn(async move {
        writer.write_all(&vec![7; bytes]).await?;
        writer.shutdown()
    });
    for _ in 0..100 {
        net::yield_now().await;
    }
    let mut back = 0;
    while let Some(chunk) = reader.chunk().await? {
        back += chunk.len();
    }
    writing.await.expect("a writer")?;
    Ok(back)
}

#[test]
fn a_generator_accepts_reads_and_writes_over_every_backend() {
    const BYTES: usize = 3 << 20;
    for &backend in Backend::available() {
        let event_loop = EventLoop::with_backend(backend).expect("a loop");
        let listener = event_loop.enter(listener);
        let address = listener.local_addr().expect("an address");
        let server = start(&event_loop, |co| async move { echo(&co, &listener).await });
        let back = run(&event_loop, client(address, BYTES)).expect("a client");
        assert_eq!(back, BYTES, "on {backend}");
        assert!(run(&event_loop, server).expect("a result").expect("echo") > 0);
        assert_eq!(event_loop.stats().socket_waits, 0);
    }
}

#[test]
fn a_turn_comes_after_everybody_who_is_ready() {
    let (event_loop, _) = EventLoop::manual();
    let log = Log::default();
    for name in ["a", "b", "c"] {
        let log = log.clone();
        drop(start(&event_loop, |co| async move {
            for step in 0..2 {
                log.push((name, step));
                co.yield_(Ask::Turn).await.expect("always granted");
            }
        }));
    }
    event_loop.run().expect("a run");
    let expected = [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("c", 1)];
    assert_eq!(log.take(), expected);
}

#[test]
fn until_resumes_at_its_moment_and_not_before() {
    let (event_loop, clock) = EventLoop::manual();
    let at = clock.now() + 5 * SECOND;
    let watch = clock.clone();
    let task = start(&event_loop, |co| async move {
        co.yield_(Ask::Until(at)).await.expect("always granted");
        watch.now()
    });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    clock.advance(5 * SECOND - Duration::from_nanos(1));
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert!(!task.is_finished());
    assert_eq!(event_loop.next_deadline(), Some(at));
    assert_eq!(event_loop.run_until(task).expect("a run").expect("a time"), at);
}

#[test]
fn a_moment_that_has_passed_costs_a_turn() {
    let (event_loop, clock) = EventLoop::manual();
    let past = clock.now() - SECOND;
    let task = start(&event_loop, |co| async move { co.yield_(Ask::Until(past)).await.is_ok() });
    assert!(event_loop.run_until(task).expect("a run").expect("a value"));
    assert_eq!(clock.now(), past + SECOND);
}

#[test]
fn what_is_ready_already_costs_a_turn_and_no_wait() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let task = start(&event_loop, |co| async move {
        co.yield_(Ask::write(&near)).await.expect("writable");
    });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert!(task.is_finished());
}

#[test]
fn a_deadline_that_comes_first_times_out() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let task = start(&event_loop, |co| async move {
        let deadline = net::now() + Duration::from_millis(2);
        let asked = Ask::ready(&near, Direction::Read, deadline);
        let error = co.yield_(asked).await.expect_err("nothing comes");
        (error.kind(), net::now() >= deadline)
    });
    let (kind, in_time) = run(&event_loop, task).expect("a value");
    assert_eq!((kind, in_time), (ErrorKind::TimedOut, true));
    assert_eq!(event_loop.stats().socket_waits, 0);
}

#[test]
fn readiness_that_comes_first_leaves_no_timer_behind() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, mut far) = run(&event_loop, connected());
    let task = start(&event_loop, |co| async move {
        let deadline = net::now() + util::PATIENCE;
        co.yield_(Ask::ready(&near, Direction::Read, deadline)).await?;
        near.try_read(&mut [0; 8])
    });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert_eq!(
        (event_loop.stats().timers, event_loop.stats().socket_waits, task.is_finished()),
        (1, 1, false)
    );
    event_loop.enter(|| far.try_write(b"news")).expect("room");
    while !task.is_finished() {
        event_loop.turn(None).expect("a turn");
    }
    let stats = event_loop.stats();
    assert_eq!((stats.timers, stats.socket_waits), (0, 0));
    assert_eq!(event_loop.run_until(task).expect("a run").expect("a value").expect("bytes"), 4);
}

#[test]
fn a_second_waiter_is_refused_at_its_yield_by_name() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let near = Rc::new(near);
    let wait = |stream: Rc<TcpStream>| {
        start(&event_loop, |co| async move { co.yield_(Ask::read(&*stream)).await })
    };
    let first = wait(Rc::clone(&near));
    let second = wait(near);
    let (first_id, second_id) = (first.id(), second.id());
    let error = run(&event_loop, second).expect("a value").expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    let expected = AlreadyWaiting {
        direction: Direction::Read,
        first: Some(first_id),
        second: Some(second_id),
    };
    assert_eq!(cause::<AlreadyWaiting>(&error), &expected);
    assert!(!first.is_finished());
    assert_eq!(event_loop.stats().socket_waits, 1);
}

#[test]
fn futures_and_generators_refuse_each_other() {
    let event_loop = EventLoop::new().expect("a loop");
    let listener = Rc::new(event_loop.enter(listener));
    let accepting = Rc::clone(&listener);
    let future = event_loop.spawn(async move { accepting.accept().await.map(drop) });
    let waiting = Rc::clone(&listener);
    let generator = start(&event_loop, |co| async move { co.yield_(Ask::read(&*waiting)).await });
    let first = future.id();
    let error = run(&event_loop, generator).expect("a value").expect_err("refused");
    assert_eq!(cause::<AlreadyWaiting>(&error).first, Some(first));

    assert!(future.cancel());
    let waiting = Rc::clone(&listener);
    let generator = start(&event_loop, |co| async move { co.yield_(Ask::read(&*waiting)).await });
    let future = event_loop.spawn(async move { listener.accept().await.map(drop) });
    let error = run(&event_loop, future).expect("a value").expect_err("refused");
    assert_eq!(cause::<AlreadyWaiting>(&error).first, Some(generator.id()));
}

#[test]
fn reader_and_writer_may_be_two_generators() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let near = Rc::new(RefCell::new(near));
    let writing = Rc::clone(&near);
    let writer = start(&event_loop, |co| async move {
        while writing.borrow_mut().try_write(&[0; 65536]).is_ok() {}
        let asked = Ask::write(&*writing.borrow());
        co.yield_(asked).await
    });
    let reader = start(&event_loop, |co| async move {
        let asked = Ask::read(&*near.borrow());
        co.yield_(asked).await
    });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert_eq!(event_loop.stats().socket_waits, 2);
    assert!(reader.cancel() && writer.cancel());
    assert_eq!(event_loop.stats().socket_waits, 0);
}

/// Cancels a generator that waits for `ask` of a stream; the loop must then have nothing left to
/// wait for.
#[track_caller]
fn cancelled_while_waiting(ask: impl FnOnce(&TcpStream) -> Ask + 'static) {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let held = Rc::new(near);
    let stream = Rc::clone(&held);
    let mut task = start(&event_loop, |co| async move { co.yield_(ask(&stream)).await });
    let idle = event_loop.spawn(std::future::pending::<()>()).named("the idle one");
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert!(task.cancel());
    assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled))));
    let stats = event_loop.stats();
    assert_eq!((stats.socket_waits, stats.timers, stats.tasks), (0, 0, 1));
    let left = stuck(event_loop.run());
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id, left[0].name.as_deref()), (idle.id(), Some("the idle one")));
    drop(held);
}

#[test]
fn cancelled_while_it_waits_to_read_it_leaves_no_wait() {
    cancelled_while_waiting(Ask::read);
}

#[test]
fn cancelled_while_it_waits_with_a_deadline_it_leaves_no_timer() {
    cancelled_while_waiting(|stream| {
        Ask::ready(stream, Direction::Read, net::now() + util::PATIENCE)
    });
}

#[test]
fn cancelled_while_it_waits_for_a_moment_it_leaves_no_timer() {
    cancelled_while_waiting(|_| Ask::Until(net::now() + util::PATIENCE));
}

#[test]
fn cancelled_before_it_was_told_of_a_refusal_it_leaves_nothing() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let near = Rc::new(near);
    let drops = Drops::default();
    let wait = |stream: Rc<TcpStream>| {
        let token = drops.token();
        start(&event_loop, |co| async move {
            let asked = co.yield_(Ask::read(&*stream)).await;
            drop(token);
            asked
        })
    };
    let (first, second) = (wait(Rc::clone(&near)), wait(near));
    let cancels = event_loop.spawn(async move { second.cancel() });
    assert!(run(&event_loop, cancels).expect("a value"));
    assert_eq!((drops.count(), event_loop.stats().socket_waits), (1, 1));
    assert!(first.cancel());
    assert_eq!((drops.count(), event_loop.stats().socket_waits), (2, 0));
}

#[test]
fn one_that_cancels_itself_leaves_its_last_ask_nowhere() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, mut far) = run(&event_loop, connected());
    let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let handle = Rc::clone(&own);
    let task = start(&event_loop, |co| async move {
        assert!(handle.borrow().as_ref().is_some_and(JoinHandle::cancel));
        let asked = Ask::read(&near);
        drop(near);
        let _ = co.yield_(asked).await;
        unreachable!("it was cancelled")
    });
    *own.borrow_mut() = Some(task);
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    let end = run(&event_loop, async move { far.chunk().await });
    assert!(end.expect("a read").is_none(), "the socket should be closed");
    assert_eq!(event_loop.stats().socket_waits, 0);
}

#[test]
fn a_socket_that_somebody_else_closes_resumes_with_an_error() {
    let event_loop = EventLoop::new().expect("a loop");
    for deadline in [None, Some(util::PATIENCE)] {
        let (near, far) = run(&event_loop, connected());
        let shared = Rc::new(RefCell::new(Some(near)));
        let waiting = Rc::clone(&shared);
        let task = start(&event_loop, |co| async move {
            let deadline = deadline.map(|after| net::now() + after);
            let asked =
                Ask::ready(waiting.borrow().as_ref().expect("open"), Direction::Read, deadline);
            co.yield_(asked).await
        });
        event_loop.turn(Some(Duration::ZERO)).expect("a turn");
        drop(shared.take());
        let error = run(&event_loop, task).expect("a value").expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_eq!(event_loop.stats().socket_waits, 0);
        drop(far);
    }
}

#[test]
fn an_ask_for_a_socket_that_was_closed_before_is_refused() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, _far) = run(&event_loop, connected());
    let task = start(&event_loop, |co| async move {
        let asked = Ask::read(&near);
        drop(near);
        co.yield_(asked).await
    });
    let error = run(&event_loop, task).expect("a value").expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

#[test]
fn a_socket_of_another_loop_is_refused() {
    let other = EventLoop::new().expect("a loop");
    let (near, _far) = run(&other, connected());
    let event_loop = EventLoop::new().expect("a loop");
    let task = start(&event_loop, |co| async move { co.yield_(Ask::read(&near)).await });
    let error = run(&event_loop, task).expect("a value").expect_err("another loop");
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Other);
    assert_eq!((event_loop.stats().socket_waits, other.stats().socket_waits), (0, 0));
}

#[test]
fn a_socket_of_a_loop_that_is_gone_is_refused() {
    let other = EventLoop::new().expect("a loop");
    let (near, _far) = run(&other, connected());
    drop(other);
    let event_loop = EventLoop::new().expect("a loop");
    let task = start(&event_loop, |co| async move { co.yield_(Ask::read(&near)).await });
    let error = run(&event_loop, task).expect("a value").expect_err("no loop");
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
}

#[test]
fn a_parked_generator_comes_back_when_its_waker_is_called() {
    let (event_loop, _) = EventLoop::manual();
    let log = Log::default();
    let seen = log.clone();
    let task = start(&event_loop, |co| async move {
        seen.push("parks");
        co.yield_(Ask::Park).await.expect("always granted");
        seen.push("is back");
    });
    let waker = task.waker().expect("it lives");
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert_eq!(log.take(), ["parks"]);
    assert_eq!(event_loop.tasks()[0].waits[0].kind, WaitKind::Waker);
    waker.wake();
    event_loop.run().expect("a run");
    assert_eq!(log.take(), ["is back"]);
    assert!(task.waker().is_none());
}

#[test]
fn parked_without_a_waker_it_is_stuck() {
    let (event_loop, _) = EventLoop::manual();
    let task = start(&event_loop, |co| async move { co.yield_(Ask::Park).await });
    assert_eq!(stuck(event_loop.run())[0].id, task.id());
}

#[test]
fn only_what_it_asked_for_resumes_a_generator() {
    let (event_loop, clock) = EventLoop::manual();
    let (start_time, watch) = (clock.now(), clock.clone());
    let task = start(&event_loop, |co| async move {
        co.yield_(Ask::Until(start_time + SECOND)).await.expect("granted");
        let first = watch.now() - start_time;
        co.yield_(Ask::Until(start_time + 3 * SECOND)).await.expect("granted");
        (first, watch.now() - start_time)
    });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    task.waker().expect("it lives").wake();
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert_eq!(event_loop.stats().timers, 1);
    let times = event_loop.run_until(task).expect("a run").expect("a value");
    assert_eq!(times, (SECOND, 3 * SECOND));
    assert_eq!(event_loop.stats().timers, 0);
}

#[test]
fn a_wake_does_not_pass_for_readiness() {
    let event_loop = EventLoop::new().expect("a loop");
    let (near, mut far) = run(&event_loop, connected());
    let task = start(&event_loop, |co| async move { co.yield_(Ask::read(&near)).await });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    task.waker().expect("it lives").wake();
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    assert_eq!((task.is_finished(), event_loop.stats().socket_waits), (false, 1));
    event_loop.enter(|| far.try_write(b"now")).expect("room");
    run(&event_loop, task).expect("a value").expect("readable");
}

#[test]
fn its_result_and_its_panic_reach_the_handle() {
    let (event_loop, _) = EventLoop::manual();
    let failed = failures(&event_loop);
    let six = start(&event_loop, |co| async move {
        co.yield_(Ask::Turn).await.expect("always granted");
        6
    });
    let panics = start(&event_loop, |co| async move {
        co.yield_(Ask::Turn).await.expect("always granted");
        panic!("oh")
    });
    let seven = event_loop.run_until(async move { six.await.expect("a number") + 1 });
    assert_eq!(seven.expect("a run"), 7);
    let ended: Result<(), JoinError> = event_loop.run_until(panics).expect("a run");
    assert_eq!(ended.expect_err("a panic").to_string(), "the task panicked: oh");
    assert!(failed.take().is_empty());
}

#[test]
fn awaiting_a_future_in_one_panics_and_says_so() {
    let (event_loop, _) = EventLoop::manual();
    let task = start(&event_loop, |co| async move {
        net::sleep(SECOND).await;
        co.yield_(Ask::Turn).await
    });
    let ended = event_loop.run_until(task).expect("a run");
    let said = ended.expect_err("a panic").to_string();
    assert!(said.contains("awaited something other than a yield"), "{said}");
}

#[test]
fn a_generator_spawns_and_names_tasks() {
    let (event_loop, _) = EventLoop::manual();
    let drops = Drops::default();
    let token = drops.token();
    let task = start(&event_loop, |co| async move {
        drop(net::spawn(hold(token)).named("its child"));
        co.yield_(Ask::Turn).await
    });
    let left = stuck(event_loop.run());
    assert!(task.is_finished());
    assert_eq!(left[0].name.as_deref(), Some("its child"));
    drop(event_loop);
    assert_eq!(drops.count(), 1);
}
