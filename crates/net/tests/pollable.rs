//! Pipes, terminals, a child's stdio and whatever else has a descriptor, over every backend.
#![cfg(unix)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))] // of tests for Linux alone

mod socket_util;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::mem::replace;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::block_on;
use futures_util::stream::{FuturesUnordered, StreamExt};
use generator::Gen;
use net::{AlreadyWaiting, Ask, Backend, Direction, EventLoop, NoLoop, Pollable, WrongLoop};
use rustix::fs::{OFlags, fcntl_getfl};
use socket_util::alone::{in_a_process_of_its_own, lower_limit};
use socket_util::{FEW_TURNS, Folder, LARGE, on_every_backend, turns_within, within_limit};

#[track_caller]
fn cause<E: std::error::Error + 'static>(error: &io::Error) -> &E {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    cause.unwrap_or_else(|| panic!("another cause: {error:?}"))
}

fn blocks(source: &impl AsFd) -> bool {
    !fcntl_getfl(source).unwrap().contains(OFlags::NONBLOCK)
}

/// Both ends of a pipe, in the loop that runs here.
fn pipe() -> (Pollable<PipeReader>, Pollable<PipeWriter>) {
    let (reader, writer) = io::pipe().unwrap();
    (Pollable::new(reader).unwrap(), Pollable::new(writer).unwrap())
}

async fn read_to_end(source: &mut Pollable<impl Read>) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match source.read(&mut buffer).await.unwrap() {
            0 => return bytes,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}

async fn read_some(source: &mut Pollable<impl Read>) -> Vec<u8> {
    let mut buffer = [0; 64];
    let length = source.read(&mut buffer).await.unwrap();
    buffer[..length].to_vec()
}

#[test]
fn a_pipe_carries_what_is_written_to_its_end() {
    on_every_backend(|| async {
        let (mut reader, mut writer) = pipe();
        let read = net::spawn(async move { read_to_end(&mut reader).await });
        net::yield_now().await;
        assert_eq!(writer.write(b"one").await.unwrap(), 3);
        net::yield_now().await;
        writer.write_all(b"two").await.unwrap();
        drop(writer);
        assert_eq!(read.await.unwrap(), b"onetwo");
    });
}

#[test]
fn a_pipe_that_is_full_stops_its_writer() {
    on_every_backend(|| async {
        let (mut reader, mut writer) = pipe();
        let written = net::spawn(async move {
            let bytes: Vec<u8> = (0..LARGE / 8).map(|at| (at % 251) as u8).collect();
            writer.write_all(&bytes).await
        });
        net::sleep(Duration::from_millis(1)).await;
        assert!(!written.is_finished(), "nobody reads");
        let bytes = read_to_end(&mut reader).await;
        assert_eq!(bytes.len(), LARGE / 8);
        assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
        written.await.unwrap().unwrap();
    });
}

#[test]
fn closing_an_end_ends_the_other() {
    on_every_backend(|| async {
        let (mut reader, writer) = pipe();
        let read = net::spawn(async move { read_to_end(&mut reader).await });
        net::yield_now().await;
        drop(writer);
        assert_eq!(read.await.unwrap(), b"");

        let (reader, mut writer) = pipe();
        let written = net::spawn(async move { writer.write_all(&vec![0; LARGE]).await });
        net::sleep(Duration::from_millis(1)).await;
        drop(reader);
        assert_eq!(written.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_child_is_talked_to_over_its_stdio() {
    on_every_backend(|| async {
        let mut command = Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = Pollable::new(child.stdin.take().unwrap()).unwrap();
        let mut stdout = Pollable::new(child.stdout.take().unwrap()).unwrap();
        for line in [&b"one\n"[..], b"two\n"] {
            stdin.write_all(line).await.unwrap();
            assert_eq!(read_some(&mut stdout).await, line);
        }
        let written = net::spawn(async move { stdin.write_all(&vec![b'x'; LARGE / 8]).await });
        assert_eq!(read_to_end(&mut stdout).await.len(), LARGE / 8);
        written.await.unwrap().unwrap();
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_child_that_ends_is_noticed_by_who_reads_and_who_writes() {
    on_every_backend(|| async {
        let mut command = Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = Pollable::new(child.stdin.take().unwrap()).unwrap();
        let mut stdout = Pollable::new(child.stdout.take().unwrap()).unwrap();
        let read = net::spawn(async move { read_to_end(&mut stdout).await });
        net::yield_now().await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(read.await.unwrap(), b"");
        assert_eq!(stdin.write_all(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_eventfd_counts() {
    use rustix::event::{EventfdFlags, eventfd};
    on_every_backend(|| async {
        let counter: OwnedFd = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let adder = File::from(counter.try_clone().unwrap());
        let mut counter = Pollable::new(File::from(counter)).unwrap();
        let counted = net::spawn(async move {
            let mut total = 0;
            while total < 6 {
                let mut buffer = [0; 8];
                assert_eq!(counter.read(&mut buffer).await.unwrap(), 8);
                total += u64::from_ne_bytes(buffer);
            }
            counter
        });
        for add in 1..=3_u64 {
            net::yield_now().await;
            (&adder).write_all(&add.to_ne_bytes()).unwrap();
            net::sleep(Duration::from_millis(1)).await;
        }
        let mut counter = counted.await.unwrap();
        // One less than the largest is the largest: the next one waits for room.
        counter.write_all(&(u64::MAX - 1).to_ne_bytes()).await.unwrap();
        let one = 1_u64.to_ne_bytes();
        let full = net::timeout(Duration::from_millis(5), counter.write(&one)).await;
        assert!(full.is_err());
        (&adder).read_exact(&mut [0; 8]).unwrap();
        counter.write_all(&one).await.unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_read_from_and_written_to() {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    on_every_backend(|| async {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let Ok(outside) = openpt(flags) else {
            println!("SKIPPED: no terminal can be opened here");
            return;
        };
        grantpt(&outside).unwrap();
        unlockpt(&outside).unwrap();
        let inside = ioctl_tiocgptpeer(&outside, flags).unwrap();
        // As a shell has it: input and output are one open file.
        let output = File::from(inside.try_clone().unwrap());
        let mut outside = Pollable::new(File::from(outside)).unwrap();
        let mut input = Pollable::new(File::from(inside)).unwrap();
        let mut output = Pollable::new(output).unwrap();
        let typed = net::spawn(async move {
            let line = read_some(&mut input).await;
            (line, input)
        });
        net::yield_now().await;
        outside.write_all(b"typed\n").await.unwrap();
        let (line, input) = typed.await.unwrap();
        assert_eq!(line, b"typed\n");
        assert_eq!(read_some(&mut outside).await, b"typed\r\n", "the echo");
        drop(input);
        output.write_all(b"shown\n").await.unwrap();
        assert_eq!(read_some(&mut outside).await, b"shown\r\n");
        assert!(blocks(&output.into_inner()));
    });
}

#[cfg(not(target_vendor = "apple"))]
#[test]
fn a_fifo_is_a_pipe_with_a_name() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    on_every_backend(|| async {
        let folder = Folder::new();
        let path = folder.path("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Opened for both, it does not wait for the other side.
        let reader = File::options().read(true).write(true).open(&path).unwrap();
        let mut reader = Pollable::new(reader).unwrap();
        let mut writer = Pollable::new(File::create(&path).unwrap()).unwrap();
        let read = net::spawn(async move { read_some(&mut reader).await });
        net::yield_now().await;
        writer.write_all(b"through the file").await.unwrap();
        assert_eq!(read.await.unwrap(), b"through the file");
    });
}

#[test]
fn a_socket_of_the_standard_library_is_accepted_from_and_read() {
    on_every_backend(|| async {
        let listener = std::net::TcpListener::bind(socket_util::any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = Pollable::new(listener).unwrap();
        let served = net::spawn(async move {
            let accepted = listener.read_with(|listener| listener.accept()).await;
            let mut stream = Pollable::new(accepted.unwrap().0).unwrap();
            read_to_end(&mut stream).await
        });
        net::yield_now().await;
        let client = std::net::TcpStream::connect(address).unwrap();
        let mut client = Pollable::new(client).unwrap();
        client.write_all(b"hello").await.unwrap();
        client.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(served.await.unwrap(), b"hello");
    });
}

#[test]
fn a_source_that_cannot_be_waited_for_comes_back_as_it_was() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let path = folder.path("regular");
        std::fs::write(&path, "contents").unwrap();
        for path in [path.as_path(), std::env::temp_dir().as_path()] {
            let refused = Pollable::new(File::open(path).unwrap()).unwrap_err();
            let why = std::error::Error::source(&refused).unwrap().to_string();
            assert_eq!(refused.to_string(), format!("the source cannot be waited for: {why}"));
            let (error, file) = refused.into_parts();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(blocks(&file));
            let error = io::Error::from(Pollable::new(file).unwrap_err());
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn a_device_without_readiness_is_refused_or_always_ready() {
    on_every_backend(|| async {
        match Pollable::new(File::open("/dev/null").unwrap()) {
            Ok(mut null) => assert_eq!(read_to_end(&mut null).await, b""),
            Err(refused) => {
                let (error, null) = refused.into_parts();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                assert!(blocks(&null));
            }
        }
    });
}

#[test]
fn a_source_needs_a_loop_of_the_kernel() {
    let (reader, _writer) = io::pipe().unwrap();
    let (error, reader) = Pollable::new(reader).unwrap_err().into_parts();
    assert_eq!(cause::<NoLoop>(&error), &NoLoop);
    let (manual, _clock) = EventLoop::manual();
    let (error, reader) = manual.enter(|| Pollable::new(reader)).unwrap_err().into_parts();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(blocks(&reader));
}

#[test]
fn a_source_without_its_loop_says_so_and_can_be_dropped() {
    let event_loop = EventLoop::new().unwrap();
    let (mut reader, mut writer) = event_loop.enter(pipe);
    drop(event_loop);
    let error = block_on(reader.read(&mut [0; 8])).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    writer.try_write_with(|writer| writer.write_all(b"late")).unwrap();
    let mut buffer = [0; 4];
    reader.try_read_with(|reader| reader.read_exact(&mut buffer)).unwrap();
    assert_eq!(&buffer, b"late");
    assert!(blocks(&reader.into_inner()));
    assert!(blocks(&writer.into_inner()));
}

#[test]
fn a_source_comes_back_blocking_if_it_was() {
    on_every_backend(|| async {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let (reader, writer) = (Pollable::new(reader).unwrap(), Pollable::new(writer).unwrap());
        assert!(!blocks(reader.get_ref()) && !blocks(writer.get_ref()));
        let (reader, writer) = (reader.into_inner(), writer.into_inner());
        assert!(blocks(&reader) && !blocks(&writer));
        // And again.
        let reader = Pollable::new(reader).unwrap();
        assert!(!blocks(reader.get_ref()));
        drop(writer);
    });
}

#[test]
fn two_of_one_open_file_do_not_make_each_other_block() {
    on_every_backend(|| async {
        let (reader, mut writer) = io::pipe().unwrap();
        let other = reader.try_clone().unwrap();
        let (first, mut second) = (Pollable::new(reader).unwrap(), Pollable::new(other).unwrap());
        drop(first);
        let waited = net::timeout(Duration::from_millis(5), second.read(&mut [0; 8])).await;
        assert!(waited.is_err());
        assert!(blocks(second.get_ref()), "the first one left it as it was");
        // The pipe is empty, and nobody waits in it.
        let read = second.try_read_with(|second| second.read(&mut [0; 8]));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
        writer.write_all(b"here").unwrap();
        assert_eq!(read_some(&mut second).await, b"here");
        assert!(blocks(&second.into_inner()), "the last one leaves it as the first one found it");
    });
}

#[test]
fn a_flag_that_somebody_else_takes_away_is_set_again() {
    on_every_backend(|| async {
        let (mut reader, mut writer) = pipe();
        writer.write_all(b"one").await.unwrap();
        assert_eq!(read_some(&mut reader).await, b"one");
        // As a child does that shares a terminal.
        rustix::io::ioctl_fionbio(reader.get_ref(), false).unwrap();
        rustix::io::ioctl_fionbio(writer.get_ref(), false).unwrap();
        assert!(net::timeout(Duration::from_millis(5), reader.read(&mut [0; 8])).await.is_err());
        let written = net::spawn(async move { writer.write_all(&vec![0; LARGE / 8]).await });
        assert_eq!(read_to_end(&mut reader).await.len(), LARGE / 8);
        written.await.unwrap().unwrap();
    });
}

#[test]
fn one_waits_per_direction_and_the_second_is_refused() {
    on_every_backend(|| async {
        let (reader, mut writer) = pipe();
        let reader = Rc::new(std::cell::RefCell::new(reader));
        // A generator waits for it without borrowing it.
        let (asked, waiting) = (Rc::clone(&reader), Rc::new(Cell::new(None)));
        let first = net::spawn_generator(Gen::new(|co| async move {
            let ask = Ask::read(&*asked.borrow());
            co.yield_(ask).await?;
            asked.borrow_mut().try_read_with(|reader| reader.read(&mut [0; 8]))
        }));
        waiting.set(Some(first.id()));
        net::yield_now().await;
        let second = Rc::clone(&reader);
        #[expect(clippy::await_holding_refcell_ref, reason = "nobody else borrows it meanwhile")]
        let second = net::spawn(async move { second.borrow_mut().read(&mut [0; 8]).await });
        let second_id = second.id();
        let error = second.await.unwrap().unwrap_err();
        let expected = AlreadyWaiting {
            direction: Direction::Read,
            first: waiting.get(),
            second: Some(second_id),
        };
        assert_eq!(cause::<AlreadyWaiting>(&error), &expected);
        writer.write_all(b"drip").await.unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 4);
    });
}

#[test]
fn dropping_one_that_is_waited_for_tells_who_waits() {
    on_every_backend(|| async {
        let (reader, _writer) = pipe();
        let slot = Rc::new(std::cell::RefCell::new(Some(reader)));
        let asked = Rc::clone(&slot);
        let waits = net::spawn_generator(Gen::new(|co| async move {
            let ask = Ask::read(asked.borrow().as_ref().unwrap());
            co.yield_(ask).await
        }));
        net::yield_now().await;
        assert_eq!(net::stats().socket_waits, 1);
        drop(slot.take());
        let error = waits.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
    });
}

#[test]
fn a_read_that_is_dropped_takes_nothing() {
    on_every_backend(|| async {
        let (mut reader, mut writer) = pipe();
        let waited = net::timeout(Duration::from_millis(1), reader.read(&mut [0; 8])).await;
        assert!(waited.is_err());
        writer.write_all(b"mine").await.unwrap();
        assert_eq!(read_some(&mut reader).await, b"mine");
    });
}

#[test]
fn many_are_waited_for_at_once_with_foreign_wakers() {
    on_every_backend(|| async {
        let mut pipes: Vec<_> = (0..10).map(|_| pipe()).collect();
        let (readers, mut writers): (Vec<_>, Vec<_>) = pipes.drain(..).unzip();
        let mut reads: FuturesUnordered<_> = readers
            .into_iter()
            .map(|mut reader| async move { read_some(&mut reader).await })
            .collect();
        for (number, writer) in writers.iter_mut().enumerate() {
            writer.write_all(&[number as u8]).await.unwrap();
            assert_eq!(reads.next().await.unwrap(), [number as u8]);
        }
    });
}

/// Turns a loop for a while in which the open file behind a dropped source goes on to be ready.
fn after_the_drop(backend: Backend, while_waiting: bool) -> (usize, u64) {
    let event_loop = EventLoop::with_backend(backend).unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    let kept = reader.try_clone().unwrap();
    let mut source = event_loop.enter(|| Pollable::new(reader)).unwrap();
    let task = event_loop.spawn(async move {
        if while_waiting {
            source.read(&mut [0; 8]).await.unwrap();
        } else {
            drop(source);
        }
        std::future::pending::<()>().await;
    });
    let keeps_running = event_loop.spawn(sleep_long());
    event_loop.turn(Some(Duration::ZERO)).unwrap();
    task.cancel();
    writer.write_all(b"nobody wants it").unwrap();
    let turns = turns_within(&event_loop, Duration::from_millis(30));
    drop(writer);
    let turns = turns + turns_within(&event_loop, Duration::from_millis(30));
    drop((kept, keeps_running));
    (turns, event_loop.stats().stale_events)
}

async fn sleep_long() {
    net::sleep(Duration::from_secs(60)).await;
}

#[test]
fn a_source_that_was_dropped_is_forgotten_though_its_open_file_lives_on() {
    for backend in Backend::available() {
        for while_waiting in [false, true] {
            let (turns, stale) = after_the_drop(*backend, while_waiting);
            assert!(turns <= 2 * FEW_TURNS, "{backend}: {turns} turns");
            assert_eq!(stale, 0, "{backend}");
        }
    }
}

#[test]
fn one_that_nobody_reads_does_not_spin() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut reader, mut writer) = event_loop.enter(pipe);
        let task = event_loop.spawn(async move {
            writer.write_all(b"unread").await.unwrap();
            drop(writer);
            // The end is there, and only a wait for something else.
            sleep_long().await;
            reader.read(&mut [0; 8]).await
        });
        let turns = turns_within(&event_loop, Duration::from_millis(50));
        assert!(turns <= FEW_TURNS, "{backend}: {turns} turns");
        drop(task);
    }
}

#[test]
fn what_is_watched_is_what_it_was_made_with() {
    on_every_backend(|| async {
        let (mut reader, mut writer) = pipe();
        let (other_reader, mut other_writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&other_reader, true).unwrap();
        let mut watched = replace(reader.get_mut(), other_reader);
        other_writer.write_all(b"other").unwrap();
        // News of the one leads to a read of the other.
        let waited = net::timeout(Duration::from_millis(5), reader.read(&mut [0; 8])).await;
        assert!(waited.is_err(), "the other one is not watched");
        writer.write_all(b"watched").await.unwrap();
        assert_eq!(read_some(&mut reader).await, b"other");
        let mut buffer = [0; 7];
        watched.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"watched");
        drop(reader);
        assert!(blocks(&watched));
    });
}

#[test]
fn an_attempt_that_would_block_is_made_again_and_other_errors_are_returned() {
    on_every_backend(|| async {
        let (mut reader, mut writer) = pipe();
        writer.write_all(b"drip").await.unwrap();
        let mut attempts = 0;
        let read = reader.read_with(|_| {
            attempts += 1;
            match attempts {
                1 => Err(ErrorKind::Interrupted.into()),
                2 => Err::<(), _>(io::Error::other("mine")),
                _ => unreachable!(),
            }
        });
        assert_eq!(read.await.unwrap_err().to_string(), "mine");
        let read = reader.try_read_with(|_| Err::<(), _>(ErrorKind::WouldBlock.into()));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
        let taken = writer.write_with(|writer| writer.write(b"drop")).await.unwrap();
        assert_eq!(taken, 4);
        assert_eq!(read_some(&mut reader).await, b"dripdrop");
    });
}

#[test]
fn a_process_without_descriptors_gets_its_source_back() {
    in_a_process_of_its_own("a_process_without_descriptors_gets_its_source_back", |backend| {
        let event_loop = EventLoop::with_backend(backend).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        lower_limit(64);
        let hogs: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let reader = event_loop.enter(|| {
            let (error, reader) = Pollable::new(reader).unwrap_err().into_parts();
            assert_eq!(rustix::io::Errno::from_io_error(&error), Some(rustix::io::Errno::MFILE));
            assert!(blocks(&reader));
            reader
        });
        drop(hogs);
        let mut reader = event_loop.enter(|| Pollable::new(reader)).unwrap();
        writer.write_all(b"again").unwrap();
        let some = within_limit(&event_loop, async move { read_some(&mut reader).await });
        assert_eq!(some, b"again");
    });
}

#[test]
fn the_listing_has_a_word_for_it() {
    on_every_backend(|| async {
        let (mut reader, _writer) = pipe();
        let task = net::spawn(async move { reader.read(&mut [0; 8]).await });
        net::yield_now().await;
        let listed = net::tasks().into_iter().find(|listed| listed.id == task.id()).unwrap();
        assert!(listed.to_string().contains("waits to read a descriptor for "), "{listed}");
        task.cancel();
    });
}
