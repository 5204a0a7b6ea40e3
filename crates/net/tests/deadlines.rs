//! Limits on how long reading and writing wait: told when they pass, never early, and nothing lost.
#![cfg(unix)]

mod socket_util;

use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use generator::Gen;
use net::{Ask, Backend, EventLoop, Overdue, TcpStream, now, sleep, spawn};
use socket_util::{
    FEW_TURNS, LARGE, any_port, fill, on_every_backend, pair, pair_with_plain, plain_client,
    read_exactly, read_to_end, reset, turns_within, within_limit,
};

/// Short: it is to pass.
const SHORT: Duration = Duration::from_millis(10);

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

#[track_caller]
fn overdue<T: std::fmt::Debug>(result: io::Result<T>) -> Overdue {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    Overdue::of(&error).unwrap_or_else(|| panic!("another cause: {error}"))
}

/// Keeps the loop from its work for a while, as a long computation does.
fn compute(time: Duration) {
    std::thread::sleep(time);
}

#[test]
fn a_read_that_brings_nothing_fails_and_the_connection_stays() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_timeout(Some(SHORT));
        assert_eq!(overdue(client.chunk().await), Overdue::ReadTimeout);
        assert_eq!(overdue(client.read(&mut [0; 4]).await), Overdue::ReadTimeout);
        server.write_all(b"late").await.unwrap();
        assert_eq!(read_exactly(&mut client, 4).await, b"late");
        client.write_all(b"and back").await.unwrap();
        assert_eq!(read_exactly(&mut server, 8).await, b"and back");
    });
}

#[test]
fn a_limit_is_never_early_however_long_the_step_took_before() {
    on_every_backend(|| async {
        let (mut client, _server) = pair().await;
        for (computed, limit) in [(30, 10), (5, 20), (0, 3)].map(|(computed, limit)| {
            (Duration::from_millis(computed), Duration::from_millis(limit))
        }) {
            client.set_read_timeout(Some(limit));
            compute(computed);
            let start = Instant::now();
            assert_eq!(overdue(client.chunk().await), Overdue::ReadTimeout);
            assert!(start.elapsed() >= limit, "after {:?}, not {limit:?}", start.elapsed());
        }
        client.set_read_timeout(None);
        let deadline = now() + SHORT;
        client.set_read_deadline(Some(deadline));
        assert_eq!(overdue(client.chunk().await), Overdue::ReadDeadline);
        assert!(now() >= deadline);
    });
}

#[test]
fn each_byte_starts_the_time_of_a_read_anew() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        let drip = spawn(async move {
            for _ in 0..10 {
                sleep(2 * SHORT).await;
                server.write_all(b".").await.unwrap();
            }
        });
        client.set_read_timeout(Some(10 * SHORT));
        assert_eq!(read_to_end(&mut client).await, b"..........");
        drip.await.unwrap();
    });
}

#[test]
fn a_deadline_holds_however_many_bytes_drip_in() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        let drip = spawn(async move {
            while server.write_all(b".").await.is_ok() {
                sleep(SHORT / 5).await;
            }
        });
        client.set_read_deadline(Some(now() + 5 * SHORT));
        let error = loop {
            match client.chunk().await {
                Ok(chunk) => assert!(chunk.is_some()),
                Err(error) => break error,
            }
        };
        assert_eq!(Overdue::of(&error), Some(Overdue::ReadDeadline));
        drop(client);
        drip.await.unwrap();
    });
}

#[test]
fn a_deadline_can_be_moved_and_lifted() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_deadline(Some(now() + SHORT));
        client.set_read_deadline(Some(now() + LONG));
        let late = spawn(async move {
            sleep(5 * SHORT).await;
            server.write_all(b"a").await.unwrap();
            sleep(5 * SHORT).await;
            server.write_all(b"b").await.unwrap();
            server
        });
        assert_eq!(read_exactly(&mut client, 1).await, b"a");
        client.set_read_deadline(Some(now() + SHORT));
        client.set_read_deadline(None);
        assert_eq!(read_exactly(&mut client, 1).await, b"b");
        // One that has passed already holds as well, until it is lifted.
        client.set_read_deadline(Some(now()));
        for _ in 0..2 {
            assert_eq!(overdue(client.chunk().await), Overdue::ReadDeadline);
        }
        client.set_read_deadline(None);
        late.await.unwrap().write_all(b"c").await.unwrap();
        assert_eq!(read_exactly(&mut client, 1).await, b"c");
    });
}

#[test]
fn the_earlier_of_timeout_and_deadline_is_the_one_that_is_told() {
    on_every_backend(|| async {
        let (mut client, _server) = pair().await;
        client.set_read_timeout(Some(SHORT));
        client.set_read_deadline(Some(now() + LONG));
        assert_eq!(overdue(client.chunk().await), Overdue::ReadTimeout);
        client.set_read_timeout(Some(LONG));
        client.set_read_deadline(Some(now() + SHORT));
        assert_eq!(overdue(client.chunk().await), Overdue::ReadDeadline);
    });
}

#[test]
fn a_limit_does_not_end_what_need_not_wait() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        server.write_all(b"here").await.unwrap();
        client.set_read_timeout(Some(Duration::ZERO));
        client.set_read_deadline(Some(now()));
        client.set_write_timeout(Some(Duration::ZERO));
        client.set_write_deadline(Some(now()));
        assert_eq!(read_exactly(&mut client, 4).await, b"here");
        client.write_all(b"there").await.unwrap();
        assert_eq!(read_exactly(&mut server, 5).await, b"there");
        overdue(client.chunk().await);
        drop(server);
        client.set_read_deadline(None);
        client.set_read_timeout(Some(LONG));
        assert!(client.chunk().await.unwrap().is_none(), "the end of the stream is no failure");
    });
}

#[test]
fn a_write_to_somebody_who_does_not_read_fails() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        let large = vec![1; LARGE];
        client.set_write_timeout(Some(SHORT));
        assert_eq!(overdue(client.write_all(&large).await), Overdue::WriteTimeout);
        assert_eq!(overdue(write_on(&mut client).await), Overdue::WriteTimeout);
        client.set_write_timeout(None);
        client.set_write_deadline(Some(now() + SHORT));
        assert_eq!(overdue(client.write_all(&large).await), Overdue::WriteDeadline);
        client.set_write_deadline(None);
        // It is read after all, and writing goes on.
        let read = spawn(async move { read_to_end(&mut server).await });
        client.write_all(b"the end").await.unwrap();
        drop(client);
        assert!(read.await.unwrap().ends_with(b"the end"));
    });
}

/// Writes until that fails.
async fn write_on(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        stream.write(&[1; 1_000]).await?;
    }
}

#[test]
fn a_reader_that_is_only_slow_is_no_failure() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_send_buffer_size(1 << 16).unwrap();
        server.set_recv_buffer_size(1 << 16).unwrap();
        client.set_write_timeout(Some(30 * SHORT));
        let sent = spawn(async move { client.write_all(&vec![7; 3 << 20]).await });
        let (mut have, mut buffer) = (0, vec![0; 1 << 17]);
        while have < 3 << 20 {
            sleep(2 * SHORT).await;
            have += server.read(&mut buffer).await.unwrap();
        }
        sent.await.unwrap().unwrap();
    });
}

#[test]
fn the_halves_of_a_connection_have_limits_of_their_own() {
    on_every_backend(|| async {
        let (mut client, server) = pair().await;
        let (mut reader, mut writer) = server.split();
        reader.set_read_timeout(Some(SHORT));
        let waits = spawn(async move {
            let mut bytes = vec![0; LARGE];
            bytes.extend(b"more");
            let result = writer.write_all(&bytes).await;
            (result, writer)
        });
        assert_eq!(overdue(reader.chunk().await), Overdue::ReadTimeout);
        assert!(!waits.is_finished(), "the writer waits on");
        reader.set_read_timeout(None);
        let heard = spawn(async move { reader.chunk().await.unwrap().unwrap().len() });
        read_until(&mut client, b"more").await;
        let (result, mut writer) = waits.await.unwrap();
        result.unwrap();
        let large = vec![1; LARGE];
        writer.set_write_timeout(Some(SHORT));
        assert_eq!(overdue(writer.write_all(&large).await), Overdue::WriteTimeout);
        assert!(!heard.is_finished(), "the reader waits on");
        client.write_all(b"now").await.unwrap();
        assert_eq!(heard.await.unwrap(), 3);
        writer.set_write_timeout(None);
        writer.set_write_deadline(Some(now() + SHORT));
        assert_eq!(overdue(writer.write_all(&large).await), Overdue::WriteDeadline);
    });
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut last = Vec::new();
    while !last.ends_with(end) {
        last.extend_from_slice(&stream.chunk().await.unwrap().unwrap());
        last.drain(..last.len().saturating_sub(end.len()));
    }
}

/// How long a read may wait whose data comes at the last moment.
const LIMIT: Duration = Duration::from_millis(50);

/// When the data is sent.
const SENT: Duration = Duration::from_millis(30);

/// Lets the wait begin and be seen. Then the timer of the sender and the limit of the reader pass while
/// nobody looks, and the sender is the first to get its turn.
async fn let_both_pass() {
    sleep(SHORT).await;
    compute(LIMIT + SHORT);
}

#[test]
fn data_that_comes_at_the_last_moment_counts_and_no_word_of_the_limit_is_left() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_timeout(Some(LIMIT));
        let send = spawn(async move {
            sleep(SENT).await;
            // A read of just this much does not show that the socket is empty then.
            server.write_all(&[7; net::CHUNK_SIZE]).await.unwrap();
            sleep(SHORT).await;
            server.write_all(b"?").await.unwrap();
            server
        });
        let read = spawn(async move {
            let full = client.chunk().await.unwrap().unwrap();
            assert_eq!(full.len(), net::CHUNK_SIZE);
            client.chunk().await.unwrap().unwrap().len()
        });
        let_both_pass().await;
        assert_eq!(read.await.unwrap(), 1);
        send.await.unwrap();
    });
}

#[test]
fn a_generator_that_read_at_the_last_moment_finds_nothing_more() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_timeout(Some(LIMIT));
        let send = spawn(async move {
            sleep(SENT).await;
            server.write_all(&[7; 8]).await.unwrap();
            server
        });
        let read = net::spawn_generator(Gen::new(|co| async move {
            co.yield_(Ask::read(&client)).await?;
            let first = client.try_read(&mut [0; 8])?;
            io::Result::Ok((first, client.try_read(&mut [0; 8]).unwrap_err().kind()))
        }));
        let_both_pass().await;
        assert_eq!(read.await.unwrap().unwrap(), (8, ErrorKind::WouldBlock));
        send.await.unwrap();
    });
}

#[test]
fn bytes_that_go_at_the_last_moment_count() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_write_timeout(Some(LIMIT));
        let read = spawn(async move {
            // Room for some of what waits, and then nothing for longer than the limit lasts from its
            // first passing on: the bytes that went have begun it anew.
            sleep(SENT).await;
            let some = read_exactly(&mut server, LARGE / 4).await.len();
            sleep(LIMIT / 2).await;
            some + read_to_end(&mut server).await.len()
        });
        let write = spawn(async move { client.write_all(&vec![1; LARGE]).await });
        let_both_pass().await;
        write.await.unwrap().unwrap();
        assert_eq!(read.await.unwrap(), LARGE);
    });
}

#[test]
fn a_generator_is_told_by_its_next_attempt() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_timeout(Some(SHORT));
        let task = Gen::new(|co| async move {
            let mut kinds = Vec::new();
            for _ in 0..3 {
                co.yield_(Ask::read(&client)).await?;
                match client.try_read(&mut [0; 8]) {
                    Ok(read) => kinds.push(Ok(read)),
                    Err(error) => kinds.push(Err(Overdue::of(&error))),
                }
            }
            io::Result::Ok((kinds, client))
        });
        let task = net::spawn_generator(task);
        sleep(8 * SHORT).await;
        server.write_all(b"four").await.unwrap();
        let (kinds, _client) = task.await.unwrap().unwrap();
        let expired = kinds.iter().filter(|kind| **kind == Err(Some(Overdue::ReadTimeout))).count();
        assert!(expired >= 2, "{kinds:?}");
        assert_eq!(expired + kinds.iter().filter(|kind| **kind == Ok(4)).count(), 3, "{kinds:?}");
    });
}

#[test]
fn foreign_wakers_are_called() {
    on_every_backend(|| async {
        let mut all = FuturesUnordered::new();
        let mut far = Vec::new();
        for number in 0..20 {
            let (mut client, server) = pair().await;
            far.push(server);
            client.set_read_timeout(Some(SHORT * (1 + number % 3)));
            all.push(async move { overdue(client.chunk().await) });
        }
        let mut expired = 0;
        while let Some(overdue) = all.next().await {
            assert_eq!(overdue, Overdue::ReadTimeout);
            expired += 1;
        }
        assert_eq!(expired, 20);
    });
}

#[test]
fn a_wait_begun_between_two_turns_has_its_whole_time() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut client, _server) = within_limit(&event_loop, pair());
        client.set_read_timeout(Some(3 * SHORT));
        // The loop's time stands still outside of its turns.
        compute(6 * SHORT);
        let start = Instant::now();
        let mut reading = pin!(client.chunk());
        let mut cx = Context::from_waker(Waker::noop());
        let result = loop {
            if let Poll::Ready(result) = reading.as_mut().poll(&mut cx) {
                break result;
            }
            event_loop.turn(Some(SHORT)).unwrap();
            assert!(start.elapsed() < socket_util::LIMIT);
        };
        assert_eq!(overdue(result.map(drop)), Overdue::ReadTimeout);
        assert!(start.elapsed() >= 3 * SHORT, "{backend}: {:?}", start.elapsed());
    }
}

#[test]
fn a_thousand_idle_connections_expire() {
    const CONNECTIONS: usize = 1_000;
    net::raise_descriptor_limit().unwrap();
    on_every_backend(|| async {
        let mut far = Vec::new();
        let mut waiting = Vec::new();
        for number in 0..CONNECTIONS {
            let (mut client, server) = pair().await;
            far.push(server);
            client.set_read_timeout(Some(SHORT + Duration::from_micros(number as u64 * 20)));
            waiting.push(spawn(async move { overdue(client.chunk().await) }));
        }
        for task in waiting {
            assert_eq!(task.await.unwrap(), Overdue::ReadTimeout);
        }
        assert_eq!(net::stats().socket_waits, 0);
    });
}

#[test]
fn a_limit_that_was_lifted_or_made_longer_does_not_pass() {
    on_every_backend(|| async {
        let (mut lifted, mut lifts) = pair().await;
        let (mut longer, mut lengthens) = pair().await;
        let (mut short, _silent) = pair().await;
        for stream in [&lifted, &longer] {
            stream.set_read_timeout(Some(SHORT));
        }
        lifted.set_read_timeout(None);
        longer.set_read_timeout(Some(LONG));
        short.set_read_timeout(Some(LONG));
        short.set_read_timeout(Some(5 * SHORT));
        let lifted = spawn(async move { lifted.chunk().await.unwrap().unwrap().len() });
        let longer = spawn(async move { longer.chunk().await.unwrap().unwrap().len() });
        assert_eq!(overdue(short.chunk().await), Overdue::ReadTimeout);
        assert!(!lifted.is_finished() && !longer.is_finished());
        lifts.write_all(b"a").await.unwrap();
        lengthens.write_all(b"bc").await.unwrap();
        assert_eq!((lifted.await.unwrap(), longer.await.unwrap()), (1, 2));
    });
}

#[test]
fn times_beyond_every_clock_are_for_ever() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_timeout(Some(Duration::MAX));
        client.set_write_timeout(Some(Duration::from_secs(u64::from(u32::MAX) * 4)));
        client.set_read_deadline(Some(now() + Duration::from_secs(1 << 33)));
        let late = spawn(async move {
            sleep(2 * SHORT).await;
            server.write_all(b"!").await.unwrap();
            server
        });
        assert_eq!(read_exactly(&mut client, 1).await, b"!");
        late.await.unwrap();
    });
}

#[test]
fn half_closes_and_resets_are_told_and_not_timeouts() {
    on_every_backend(|| async {
        let (mut server, plain) = pair_with_plain().await;
        server.set_read_timeout(Some(LONG));
        server.set_write_timeout(Some(LONG));
        plain.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(server.chunk().await.unwrap().is_none());
        fill(&mut server).await;
        let writes = spawn(async move { server.write_all(&[1; 1000]).await });
        net::yield_now().await;
        reset(plain);
        let error = writes.await.unwrap().unwrap_err();
        assert_eq!(Overdue::of(&error), None, "{error}");

        let (mut server, mut plain) = pair_with_plain().await;
        server.set_read_timeout(Some(LONG));
        let reads = spawn(async move { read_to_end(&mut server).await });
        net::yield_now().await;
        plain.write_all(b"rest").unwrap();
        plain.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(reads.await.unwrap(), b"rest");
    });
}

#[test]
fn a_read_given_up_leaves_its_limit_to_the_next() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.set_read_timeout(Some(5 * SHORT));
        let given_up = net::timeout(SHORT, client.chunk()).await;
        assert!(given_up.is_err());
        assert_eq!(overdue(client.chunk().await), Overdue::ReadTimeout);
        server.write_all(b"!").await.unwrap();
        assert_eq!(read_exactly(&mut client, 1).await, b"!");
    });
}

/// A loop with connections that have short limits, and how many turns it makes in a while.
fn turns_of<F: Future<Output = ()> + 'static>(backend: Backend, body: F) -> usize {
    let event_loop = EventLoop::with_backend(backend).unwrap();
    drop(event_loop.spawn(body));
    event_loop.turn(Some(Duration::ZERO)).unwrap();
    turns_within(&event_loop, 10 * SHORT)
}

#[test]
fn limits_on_connections_that_nobody_waits_for_wake_nobody() {
    for backend in Backend::available() {
        let turns = turns_of(*backend, async {
            let mut pairs = Vec::new();
            for _ in 0..10 {
                let (client, server) = pair().await;
                client.set_read_timeout(Some(Duration::from_millis(1)));
                server.set_write_timeout(Some(Duration::from_millis(1)));
                pairs.push((client, server));
            }
            std::future::pending::<()>().await;
            drop(pairs);
        });
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns");
    }
}

#[test]
fn a_wait_that_has_long_to_go_wakes_nobody() {
    for backend in Backend::available() {
        let turns = turns_of(*backend, async {
            // The short limit makes for short pauses.
            let (idle, _far) = pair().await;
            idle.set_read_timeout(Some(Duration::from_millis(1)));
            let (mut client, _server) = pair().await;
            client.set_read_timeout(Some(LONG));
            client.chunk().await.unwrap();
        });
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns");
    }
}

#[test]
fn the_next_deadline_of_a_loop_knows_of_limits() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut client, _server) = within_limit(&event_loop, pair());
        assert_eq!(event_loop.next_deadline(), None);
        let mut task = event_loop.spawn(async move {
            client.set_read_timeout(Some(SHORT));
            overdue(client.chunk().await.map(drop))
        });
        event_loop.turn(Some(Duration::ZERO)).unwrap();
        // An outer loop that sleeps until then gets on.
        while !task.is_finished() {
            let next = event_loop.next_deadline().expect("a look at the wait");
            compute(next.saturating_duration_since(Instant::now()));
            event_loop.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(task.try_join().unwrap().unwrap(), Overdue::ReadTimeout);
        assert_eq!(event_loop.next_deadline(), None, "{backend}: nobody has a limit any more");
    }
}

#[test]
fn connections_with_limits_close_at_any_time() {
    on_every_backend(|| async {
        for _ in 0..3 {
            let mut pairs = Vec::new();
            for _ in 0..20 {
                let (client, server) = pair().await;
                client.set_read_timeout(Some(SHORT / 5));
                client.set_write_deadline(Some(now() + SHORT / 5));
                pairs.push((client, server));
            }
            let mut tasks = Vec::new();
            for (number, (mut client, server)) in pairs.into_iter().enumerate() {
                let task = spawn(async move {
                    let _server = server;
                    overdue(client.chunk().await.map(drop))
                });
                match number % 3 {
                    0 => drop(task.cancel()),
                    1 => tasks.push(task),
                    _ => tasks.insert(0, task),
                }
            }
            for task in tasks {
                assert_eq!(task.await.unwrap(), Overdue::ReadTimeout);
            }
        }
    });
}

#[test]
fn a_connection_with_limits_may_outlive_its_loop() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (client, mut server) = within_limit(&event_loop, pair());
        client.set_read_timeout(Some(SHORT));
        let kept = Rc::new(client);
        let holder = Rc::clone(&kept);
        drop(event_loop.spawn(async move {
            server.set_read_timeout(Some(LONG));
            drop(holder);
            let _ = server.chunk().await;
        }));
        event_loop.turn(Some(Duration::ZERO)).unwrap();
        drop(event_loop);
        kept.set_read_timeout(Some(SHORT));
        let mut client = Rc::into_inner(kept).unwrap();
        client.set_read_timeout(None);
        let mut reading = pin!(client.chunk());
        let result = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(result, Poll::Ready(Ok(None) | Err(_))), "{backend}");
    }
}

#[test]
fn limits_hold_while_the_loop_is_busy() {
    on_every_backend(|| async {
        let (mut client, _server) = pair().await;
        client.set_read_timeout(Some(SHORT));
        let mut waits = spawn(async move { overdue(client.chunk().await) });
        // Somebody is always ready, so that the loop never sleeps.
        while !waits.is_finished() {
            net::yield_now().await;
        }
        assert_eq!(waits.try_join().unwrap().unwrap(), Overdue::ReadTimeout);
    });
}

#[test]
fn a_waker_that_sets_limits_while_it_is_called_meets_no_borrow() {
    struct Sets(std::sync::Mutex<Option<Box<dyn Fn() + Send>>>);
    impl std::task::Wake for Sets {
        fn wake(self: std::sync::Arc<Self>) {
            if let Some(set) = &*self.0.lock().unwrap() {
                set();
            }
        }
    }
    thread_local!(static OTHER: std::cell::RefCell<Option<TcpStream>> = const { std::cell::RefCell::new(None) });
    on_every_backend(|| async {
        let (mut client, other) = pair().await;
        OTHER.set(Some(other));
        client.set_read_timeout(Some(SHORT));
        let set: Box<dyn Fn() + Send> = Box::new(|| {
            OTHER.with_borrow(|other| other.as_ref().unwrap().set_read_timeout(Some(SHORT)));
        });
        let waker = Waker::from(std::sync::Arc::new(Sets(std::sync::Mutex::new(Some(set)))));
        let mut reading = Box::pin(async move { overdue(client.chunk().await) });
        poll_fn(|_| {
            assert!(reading.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            Poll::Ready(())
        })
        .await;
        sleep(5 * SHORT).await;
        assert_eq!(reading.await, Overdue::ReadTimeout);
        let mut other = OTHER.take().unwrap();
        assert!(other.chunk().await.unwrap().is_none());
    });
}

#[test]
fn a_stalled_transfer_ends_and_holds_no_more_than_the_kernel_takes() {
    on_every_backend(|| async {
        let listener = net::TcpListener::bind(any_port()).unwrap();
        let plain = plain_client(listener.local_addr().unwrap());
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_write_timeout(Some(SHORT));
        let bytes = vec![1; 1 << 16];
        let mut sent = 0;
        let error = loop {
            match stream.write_all(&bytes).await {
                Ok(()) => sent += bytes.len(),
                Err(error) => break error,
            }
            assert!(sent < 4 * LARGE);
        };
        assert_eq!(Overdue::of(&error), Some(Overdue::WriteTimeout));
        drop(plain);
    });
}

/// In simulated time, which passes only while everybody waits, a limit has a time to keep.
#[cfg(feature = "sim")]
mod simulated {
    use net::sim::{Sim, check};
    use net::{Server, TcpListener};

    use super::*;

    const PORT: u16 = 5001;

    /// How late a limit may be told, as the docs say.
    fn late(limit: Duration) -> Duration {
        (limit / 8).clamp(Duration::from_millis(2), Duration::from_secs(10))
    }

    /// Numbers that look like chance: the next of a linear congruence.
    fn next(state: &mut u64) -> u64 {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    /// Sends bytes after pauses, many of them short and some long.
    async fn drip(mut stream: TcpStream, mut chance: u64) -> io::Result<()> {
        for _ in 0..40 {
            let pause = Duration::from_micros(next(&mut chance) % (1 << (next(&mut chance) % 26)));
            sleep(pause).await;
            stream.write_all(b".").await?;
        }
        Ok(())
    }

    /// Reads with a limit that changes, and holds each wait against it.
    async fn read_with_limits(mut stream: TcpStream, mut chance: u64) -> io::Result<(u32, u32)> {
        let (mut expired, mut heard) = (0, 0);
        loop {
            let limit = Duration::from_micros(next(&mut chance) % (1 << (next(&mut chance) % 24)));
            let by_deadline = next(&mut chance).is_multiple_of(2);
            let start = now();
            stream.set_read_timeout((!by_deadline).then_some(limit));
            stream.set_read_deadline(by_deadline.then(|| start + limit));
            let result = stream.chunk().await;
            let waited = now() - start;
            assert!(waited <= limit + late(limit), "{waited:?} for a limit of {limit:?}");
            match result {
                Ok(Some(_)) => heard += 1,
                Ok(None) => return Ok((expired, heard)),
                Err(error) => {
                    assert!(waited >= limit, "{waited:?} for a limit of {limit:?}: {error}");
                    let reason = match by_deadline {
                        true => Overdue::ReadDeadline,
                        false => Overdue::ReadTimeout,
                    };
                    assert_eq!(Overdue::of(&error), Some(reason));
                    expired += 1;
                }
            }
        }
    }

    fn limits(seed: u64) -> Sim {
        const CONNECTIONS: u64 = 8;
        let mut sim = Sim::new(seed);
        sim.host("server", async move || {
            let listener = TcpListener::bind(([0, 0, 0, 0], PORT).into())?;
            let mut readers = Vec::new();
            for number in 0..CONNECTIONS {
                let (stream, _) = listener.accept().await?;
                readers.push(spawn(read_with_limits(stream, seed * 100 + number)));
            }
            for reader in readers {
                let (expired, heard) = reader.await.unwrap()?;
                assert!(expired > 0 && heard > 0, "{expired} expired, {heard} heard");
            }
            Ok(())
        });
        let address: std::net::SocketAddr = (sim.address("server"), PORT).into();
        sim.host("client", async move || {
            let mut writers = Vec::new();
            for number in 0..CONNECTIONS {
                let stream = connect(address).await?;
                writers.push(spawn(drip(stream, seed * 1_000 + number)));
            }
            for writer in writers {
                writer.await.unwrap()?;
            }
            Ok(())
        });
        sim
    }

    /// The server may not listen yet.
    async fn connect(address: std::net::SocketAddr) -> io::Result<TcpStream> {
        loop {
            match TcpStream::connect(address).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => sleep(SHORT).await,
                connected => return connected,
            }
        }
    }

    #[test]
    fn no_limit_is_early_or_later_than_was_said() {
        let checked = check(0..30, limits, "").unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(checked.runs, 30);
    }

    /// Asks `hello`; whether the whole answer came.
    async fn is_answered(stream: &mut TcpStream) -> io::Result<bool> {
        stream.write_all(b"?").await?;
        let mut left = 12;
        while left > 0 {
            let Some(chunk) = stream.chunk().await? else { return Ok(false) };
            left -= chunk.len();
        }
        Ok(true)
    }

    #[test]
    fn a_server_keeps_its_limits_and_its_idle_grace() {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut sim = Sim::new(7);
        sim.host("server", async || {
            let server = Server::bind(([0, 0, 0, 0], PORT).into())?;
            let server = server.idle_timeout(MINUTE).grace(100 * MINUTE).idle_grace(MINUTE / 60);
            let (start, stopper) = (now(), server.stopper());
            let serving = spawn(server.serve(net::handlers::hello));
            sleep(2 * MINUTE).await;
            stopper.stop();
            let served = serving.await.unwrap()?;
            assert_eq!((served.accepted, served.timed_out, served.cancelled), (2, 1, 0));
            assert!(now() - start < 2 * MINUTE + MINUTE / 30, "{:?}", now() - start);
            Ok(())
        });
        let address: std::net::SocketAddr = (sim.address("server"), PORT).into();
        sim.host("silent", async move || {
            let mut stream = connect(address).await?;
            let start = now();
            assert!(stream.chunk().await?.is_none());
            let waited = now() - start;
            assert!(waited >= MINUTE && waited <= MINUTE + late(MINUTE) + SHORT, "{waited:?}");
            Ok(())
        });
        sim.host("busy", async move || {
            let mut stream = connect(address).await?;
            let mut answers = 0;
            while let Ok(true) = is_answered(&mut stream).await {
                answers += 1;
                sleep(MINUTE / 3).await;
            }
            assert_eq!(answers, 7, "the last one at the very stop");
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    }
}
