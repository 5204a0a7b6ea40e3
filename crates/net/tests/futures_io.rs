//! Streams through the traits of futures-io: what others build on them, and what a poll that is left
//! or taken over does. On every backend.
#![cfg(unix)]

mod socket_util;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_lite::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
    copy, split,
};
use futures_lite::stream::StreamExt;
use futures_util::join;
use futures_util::stream::FuturesUnordered;
use generator::Gen;
use net::{
    AlreadyWaiting, Ask, BUDGET, Direction, EventLoop, Pollable, TaskState, TcpStream, UnixStream,
    WaitKind, WrongLoop,
};
use socket_util::{
    LARGE, drain_in_a_thread, fill, on_every_backend, pair, pair_with_plain, reset, within_limit,
};

/// Polls a read of up to four bytes.
fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_read(cx, &mut [0; 4])
}

/// A read as the running task polls it, once.
async fn read_once(stream: &mut TcpStream) -> Poll<io::Result<usize>> {
    poll_fn(|cx| Poll::Ready(poll_read(stream, cx))).await
}

/// A waker that counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Calls {
    fn new() -> (Arc<Calls>, Waker) {
        let calls = Arc::new(Calls::default());
        (Arc::clone(&calls), Waker::from(calls))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that several tasks may poll.
type Shared = Rc<RefCell<TcpStream>>;

/// A task that polls until it has read something, and counts its polls.
fn reader(stream: &Shared, polls: &Rc<Cell<u32>>) -> net::JoinHandle<io::Result<usize>> {
    let (stream, polls) = (Rc::clone(stream), Rc::clone(polls));
    net::spawn(poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        poll_read(&mut *stream.borrow_mut(), cx)
    }))
}

fn socket_waits() -> usize {
    net::stats().socket_waits
}

#[track_caller]
fn refused<T: std::fmt::Debug>(polled: Poll<io::Result<T>>) -> AlreadyWaiting {
    match polled {
        Poll::Ready(Err(error)) => *error.get_ref().unwrap().downcast_ref().unwrap(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn lines_are_read_and_written_through_buffers() {
    on_every_backend(|| async {
        let (client, server) = pair().await;
        let shout = net::spawn(async move {
            let (reader, writer) = server.split();
            let (mut lines, mut writer) = (BufReader::new(reader).lines(), BufWriter::new(writer));
            while let Some(line) = lines.next().await {
                writer.write_all(line?.to_uppercase().as_bytes()).await?;
                writer.write_all(b"\n").await?;
                writer.flush().await?;
            }
            writer.close().await
        });
        let (reader, mut writer) = client.split();
        let mut lines = BufReader::new(reader).lines();
        for word in ["one", "two"] {
            AsyncWriteExt::write_all(&mut writer, format!("{word}\n").as_bytes()).await.unwrap();
            assert_eq!(lines.next().await.unwrap().unwrap(), word.to_uppercase());
        }
        writer.close().await.unwrap();
        assert!(lines.next().await.is_none());
        shout.await.unwrap().unwrap();
    });
}

#[test]
fn several_buffers_are_one_read_or_write() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        let parts = [IoSlice::new(b"all "), IoSlice::new(b""), IoSlice::new(b"at once")];
        assert_eq!(AsyncWriteExt::write_vectored(&mut client, &parts).await.unwrap(), 11);
        let (mut start, mut rest) = ([0; 3], [0; 20]);
        let mut parts = [IoSliceMut::new(&mut start), IoSliceMut::new(&mut rest)];
        assert_eq!(AsyncReadExt::read_vectored(&mut server, &mut parts).await.unwrap(), 11);
        assert_eq!((&start, &rest[..8]), (b"all", &b" at once"[..]));
    });
}

#[test]
fn unix_streams_and_pipes_are_read_line_by_line() {
    on_every_backend(|| async {
        let (reader, writer) = std::io::pipe().unwrap();
        let (reader, mut writer) = (Pollable::new(reader).unwrap(), Pollable::new(writer).unwrap());
        let (mut near, far) = UnixStream::pair().unwrap();
        let passed = net::spawn(async move {
            let copied = copy(BufReader::new(reader), &mut near).await;
            near.close().await.and(copied)
        });
        let written = async {
            AsyncWriteExt::write_all(&mut writer, b"one\ntwo\n").await?;
            writer.close().await?;
            drop(writer);
            io::Result::Ok(())
        };
        let (written, lines) = join!(written, BufReader::new(far).lines().collect::<Vec<_>>());
        written.unwrap();
        let lines: Vec<_> = lines.into_iter().map(Result::unwrap).collect();
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(passed.await.unwrap().unwrap(), 8);
    });
}

#[test]
fn copying_waits_for_a_slow_side_and_ends_with_the_other() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        let echo = net::spawn(async move {
            let (reader, mut writer) = split(&mut server);
            let copied = copy(reader, &mut writer).await?;
            writer.close().await?;
            io::Result::Ok(copied)
        });
        let (mut reader, mut writer) = split(&mut client);
        let bytes: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
        let mut heard = Vec::new();
        let sending = async {
            writer.write_all(&bytes).await?;
            writer.close().await
        };
        let (sent, received) = join!(sending, reader.read_to_end(&mut heard));
        sent.unwrap();
        assert_eq!(received.unwrap(), LARGE);
        assert!(heard == bytes, "the bytes came back changed");
        assert_eq!(echo.await.unwrap().unwrap(), LARGE as u64);
    });
}

#[test]
fn many_polled_streams_share_a_set() {
    on_every_backend(|| async {
        let mut all = FuturesUnordered::new();
        let mut others = Vec::new();
        for name in 0..20 {
            let (mut stream, other) = pair_with_plain().await;
            others.push(other);
            all.push(async move {
                let mut bytes = [0; 3];
                stream.read_exact(&mut bytes).await.map(|()| (name, bytes))
            });
        }
        assert!(poll_fn(|cx| Poll::Ready(all.poll_next(cx))).await.is_pending());
        for (name, other) in others.iter_mut().enumerate().rev() {
            other.write_all(&[name as u8]).unwrap();
        }
        assert!(poll_fn(|cx| Poll::Ready(all.poll_next(cx))).await.is_pending());
        for (name, other) in others.iter_mut().enumerate() {
            other.write_all(&[name as u8; 2]).unwrap();
        }
        let mut ended = Vec::new();
        while let Some(done) = all.next().await {
            let (name, bytes) = done.unwrap();
            assert_eq!(bytes, [name as u8; 3]);
            ended.push(name);
        }
        ended.sort_unstable();
        assert_eq!(ended, (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_called() {
    on_every_backend(|| async {
        let (mut stream, mut other) = pair_with_plain().await;
        let ((first, first_waker), (last, last_waker)) = (Calls::new(), Calls::new());
        for waker in [&first_waker, &last_waker, &first_waker, &last_waker] {
            assert!(poll_read(&mut stream, &mut Context::from_waker(waker)).is_pending());
            assert_eq!(socket_waits(), 1);
        }
        other.write_all(b"x").unwrap();
        while last.count() == 0 {
            net::yield_now().await;
        }
        assert_eq!((first.count(), last.count(), socket_waits()), (0, 1, 0));
        let read = poll_read(&mut stream, &mut Context::from_waker(&last_waker));
        assert!(matches!(read, Poll::Ready(Ok(1))), "{read:?}");
    });
}

#[test]
fn of_two_tasks_that_poll_the_last_is_brought_back_and_the_first_is_not_disturbed() {
    on_every_backend(|| async {
        let (stream, mut other) = pair_with_plain().await;
        let stream = Rc::new(RefCell::new(stream));
        let (polls, last_polls) = (Rc::default(), Rc::default());
        let first = reader(&stream, &polls);
        let last = reader(&stream, &last_polls);
        net::yield_now().await;
        assert_eq!(socket_waits(), 1);
        other.write_all(b"x").unwrap();
        assert_eq!(last.await.unwrap().unwrap(), 1);
        assert_eq!((polls.get(), last_polls.get()), (1, 2));
        assert!(first.cancel());
    });
}

#[test]
fn a_poll_that_was_left_gives_way_to_a_read_of_any_task() {
    on_every_backend(|| async {
        let (mut stream, mut other) = pair_with_plain().await;
        assert!(read_once(&mut stream).await.is_pending());
        let elsewhere = net::spawn(async move {
            let read = stream.chunk().await.unwrap().map(|chunk| chunk.len());
            (stream, read)
        });
        net::yield_now().await;
        assert_eq!(socket_waits(), 1);
        other.write_all(b"x").unwrap();
        let (mut stream, read) = elsewhere.await.unwrap();
        assert_eq!(read, Some(1));

        let (_, waker) = Calls::new();
        assert!(poll_read(&mut stream, &mut Context::from_waker(&waker)).is_pending());
        let gone = net::timeout(Duration::from_millis(1), stream.chunk()).await;
        assert!(gone.is_err());
        assert_eq!(socket_waits(), 0);
    });
}

/// Whose poll stands when a generator asks cannot be known to have lost interest, so that he is told.
#[test]
fn an_ask_takes_over_from_a_poll_and_the_next_poll_is_refused() {
    on_every_backend(|| async {
        let (stream, mut other) = pair_with_plain().await;
        let stream = Rc::new(RefCell::new(stream));
        let polled = reader(&stream, &Rc::default());
        net::yield_now().await;
        let asking = Rc::clone(&stream);
        let asked = net::spawn_generator(Gen::new(async move |co: net::Co| {
            let ask = Ask::read(&*asking.borrow());
            co.yield_(ask).await?;
            asking.borrow_mut().try_read(&mut [0; 4])
        }));
        let (first, second) = (asked.id(), polled.id());
        let refused = refused(Poll::Ready(polled.await.unwrap()));
        let expected =
            AlreadyWaiting { direction: Direction::Read, first: Some(first), second: Some(second) };
        assert_eq!(refused, expected);
        other.write_all(b"x").unwrap();
        assert_eq!(asked.await.unwrap().unwrap(), 1);
    });
}

#[test]
fn a_stream_that_is_dropped_with_a_poll_pending_leaves_no_wait_behind() {
    on_every_backend(|| async {
        let (mut stream, other) = pair_with_plain().await;
        fill(&mut stream).await;
        let (calls, waker) = Calls::new();
        let mut cx = Context::from_waker(&waker);
        assert!(poll_read(&mut stream, &mut cx).is_pending());
        assert!(Pin::new(&mut stream).poll_write(&mut cx, b"x").is_pending());
        assert_eq!(socket_waits(), 2);
        drop(stream);
        assert_eq!((socket_waits(), calls.count()), (0, 2));
        drop(other);

        let (mut stream, _other) = pair_with_plain().await;
        let task = net::spawn(async move { read_once(&mut stream).await.is_pending() });
        assert!(task.await.unwrap());
        assert_eq!(socket_waits(), 0);
        let (mut stream, _other) = pair_with_plain().await;
        let task = net::spawn(async move { stream.read_exact(&mut [0; 4]).await });
        net::yield_now().await;
        assert_eq!(socket_waits(), 1);
        assert!(task.cancel());
        assert_eq!(socket_waits(), 0);
    });
}

#[test]
fn a_wait_is_listed_with_the_task_that_polled_last_and_goes_on() {
    on_every_backend(|| async {
        let (stream, mut other) = pair_with_plain().await;
        let stream = Rc::new(RefCell::new(stream));
        let task = reader(&stream, &Rc::default());
        let listed = |task| {
            let info = net::tasks().into_iter().find(|info| info.id == task).unwrap();
            assert_eq!((info.state, info.waits.len()), (TaskState::Parked, 1), "{info}");
            let socket = matches!(&info.waits[0].kind, WaitKind::Socket { direction, .. }
                if *direction == Direction::Read);
            assert!(socket, "{info}");
            info.waits[0].since
        };
        net::yield_now().await;
        let since = listed(task.id());
        net::sleep(Duration::from_millis(1)).await;
        task.waker().unwrap().wake();
        net::yield_now().await;
        assert_eq!(listed(task.id()), since);
        let next = reader(&stream, &Rc::default());
        net::yield_now().await;
        assert_eq!(listed(next.id()), since);
        other.write_all(b"x").unwrap();
        next.await.unwrap().unwrap();
        task.cancel();
    });
}

#[test]
fn polls_share_the_budget_of_a_step() {
    on_every_backend(|| async {
        const TOTAL: u32 = 5 * BUDGET;
        let (mut stream, mut other) = pair_with_plain().await;
        other.write_all(&vec![b'x'; TOTAL as usize]).unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        let read = Rc::new(Cell::new(0));
        let count = Rc::clone(&read);
        let task = net::spawn(async move {
            while stream.read(&mut [0]).await.unwrap() == 1 {
                count.set(count.get() + 1);
            }
        });
        let mut before = 0;
        while !task.is_finished() {
            net::yield_now().await;
            let step = read.get() - before;
            assert!(step <= BUDGET, "{step} reads in one step");
            before = read.get();
        }
        assert_eq!(read.get(), TOTAL);
    });
}

#[test]
fn a_write_waits_for_room() {
    on_every_backend(|| async {
        let (mut stream, plain) = pair_with_plain().await;
        let filled = fill(&mut stream).await;
        let written = async {
            AsyncWriteExt::write_all(&mut stream, &[b'x'; 100_000]).await?;
            AsyncWriteExt::flush(&mut stream).await?;
            AsyncWriteExt::close(&mut stream).await
        };
        let draining = async {
            net::yield_now().await;
            drain_in_a_thread(plain)
        };
        let (written, drained) = join!(written, draining);
        written.unwrap();
        assert_eq!(drained.join().unwrap(), filled + 100_000);
    });
}

#[test]
fn closing_ends_what_is_written_and_nothing_else() {
    on_every_backend(|| async {
        let (mut stream, mut other) = pair_with_plain().await;
        AsyncWriteExt::close(&mut stream).await.unwrap();
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
        other.write_all(b"still here").unwrap();
        stream.read_exact(&mut [0; 10]).await.unwrap();
        let error = AsyncWriteExt::write(&mut stream, b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_reset_is_an_error_once_and_then_the_end() {
    on_every_backend(|| async {
        let (mut stream, other) = pair_with_plain().await;
        let task = net::spawn(async move {
            let first = AsyncReadExt::read(&mut stream, &mut [0; 4]).await;
            (first, AsyncReadExt::read(&mut stream, &mut [0; 4]).await)
        });
        net::yield_now().await;
        reset(other);
        let (first, then) = task.await.unwrap();
        assert_eq!(first.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(then.unwrap(), 0);
    });
}

#[test]
fn a_stream_that_outlives_its_loop_says_so() {
    let event_loop = EventLoop::new().unwrap();
    let (mut stream, _other) = within_limit(&event_loop, pair_with_plain());
    let (calls, waker) = Calls::new();
    let mut cx = Context::from_waker(&waker);
    assert!(event_loop.enter(|| poll_read(&mut stream, &mut cx)).is_pending());
    drop(event_loop);
    assert_eq!(calls.count(), 1, "who waits is told");
    let Poll::Ready(Err(error)) = poll_read(&mut stream, &mut cx) else {
        panic!("it waits for nothing");
    };
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&WrongLoop::Gone));
}
