//! The programs `hello` and `echo`, as somebody at a terminal meets them.
#![cfg(all(target_os = "linux", feature = "programs"))]

mod socket_util;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use net::Backend;
use rustix::process::Signal;
use socket_util::program::{ECHO, HELLO, Serving, ask, run};
use socket_util::{LIMIT, drain_in_a_thread, plain_client};

#[test]
fn hello_says_where_it_listens_and_who_connects_and_answers() {
    let mut hello = Serving::start(HELLO, &[]);
    let mut client = plain_client(hello.address);
    ask(&mut client);
    ask(&mut client);
    let peer = client.local_addr().unwrap();
    assert_eq!(hello.line(), format!("Connection from {peer}"));
    drop(client);
    assert_eq!(hello.stop().output, "");
}

#[test]
fn quiet_prints_nobody() {
    for quiet in ["--quiet", "-q"] {
        let hello = Serving::start(HELLO, &[quiet]);
        ask(&mut plain_client(hello.address));
        assert_eq!(hello.stop().output, "");
    }
}

#[test]
fn every_backend_can_be_chosen() {
    for backend in Backend::available() {
        for program in [HELLO, ECHO] {
            let serving = Serving::start(program, &["--backend", &backend.to_string()]);
            let mut client = plain_client(serving.address);
            client.write_all(b"Hello world\n").unwrap();
            client.read_exact(&mut [0; 12]).unwrap();
            drop(client);
            serving.stop();
        }
    }
    let hello = Serving::start(HELLO, &["--backend", "auto"]);
    ask(&mut plain_client(hello.address));
}

#[test]
fn max_connections_lets_further_ones_wait() {
    let hello = Serving::start(HELLO, &["--max-connections", "1"]);
    let (mut first, mut second) = (plain_client(hello.address), plain_client(hello.address));
    ask(&mut first);
    second.write_all(b"?").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(second.read(&mut [0; 12]).is_err(), "two are served at a time");
    ask(&mut first);
    drop(first);
    second.set_read_timeout(Some(LIMIT)).unwrap();
    second.read_exact(&mut [0; 12]).unwrap();
}

#[test]
fn help_and_version_are_printed_and_that_is_all() {
    for program in [HELLO, ECHO] {
        for help in ["--help", "-h"] {
            let ended = run(program, &[help]);
            assert_eq!((ended.status.code(), ended.errors.as_str()), (Some(0), ""));
            assert!(ended.output.contains("--max-connections"), "{}", ended.output);
            assert!(ended.output.contains("--threads"), "{}", ended.output);
        }
        let ended = run(program, &["--version"]);
        assert_eq!(ended.status.code(), Some(0));
        assert!(ended.output.contains(env!("CARGO_PKG_VERSION")), "{}", ended.output);
    }
}

#[test]
fn a_signal_lets_connections_finish() {
    for signal in [Signal::INT, Signal::TERM] {
        let hello = Serving::start(HELLO, &[]);
        let mut client = plain_client(hello.address);
        ask(&mut client);
        hello.signal(signal);
        // Once the listener is closed, the stop has been seen.
        while TcpStream::connect(hello.address).is_ok() {}
        ask(&mut client);
        drop(client);
        let ended = hello.ended();
        assert_eq!((ended.status.code(), ended.errors.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let hello = Serving::start(HELLO, &[]);
    let mut client = plain_client(hello.address);
    ask(&mut client);
    hello.signal(Signal::INT);
    while TcpStream::connect(hello.address).is_ok() {}
    let start = Instant::now();
    hello.signal(Signal::INT);
    assert_eq!(hello.ended().status.code(), Some(130));
    assert!(start.elapsed() < net::GRACE);
}

#[test]
fn connections_that_do_not_finish_are_cut_after_the_grace() {
    let hello = Serving::start(HELLO, &[]);
    let mut busy = plain_client(hello.address);
    ask(&mut busy);
    let start = Instant::now();
    hello.signal(Signal::TERM);
    // It is never idle for long.
    let mut answer = [0; 12];
    while busy.write_all(b"?").and_then(|()| busy.read_exact(&mut answer)).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(start.elapsed() >= net::GRACE - Duration::from_millis(100));
    let ended = hello.ended();
    assert_eq!((ended.status.code(), ended.errors.as_str()), (Some(0), ""));
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    for program in [HELLO, ECHO] {
        let serving = Serving::start(program, &[]);
        let mut clients: Vec<_> = (0..10).map(|_| plain_client(serving.address)).collect();
        for client in &mut clients {
            client.write_all(b"Hello world\n").unwrap();
            client.read_exact(&mut [0; 12]).unwrap();
        }
        // One whose last request the program has not seen yet is answered.
        clients[0].write_all(b"Hello world\n").unwrap();
        serving.signal(Signal::TERM);
        clients[0].read_exact(&mut [0; 12]).unwrap();
        for client in &mut clients {
            assert_eq!(client.read(&mut [0; 12]).unwrap(), 0);
        }
        let ended = serving.ended();
        assert_eq!((ended.status.code(), ended.errors.as_str()), (Some(0), ""));
    }
}

#[test]
fn idle_connections_are_closed_after_the_time_that_was_given() {
    let hello = Serving::start(HELLO, &["--idle-timeout", "0.3"]);
    let (mut silent, mut busy) = (plain_client(hello.address), plain_client(hello.address));
    silent.set_nonblocking(true).unwrap();
    loop {
        ask(&mut busy);
        match silent.read(&mut [0; 1]) {
            Ok(0) => break,
            other => assert!(other.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ask(&mut busy);
    assert_eq!(hello.stop().errors, "", "it is no failure");

    // Nor does echo wait for ever for somebody who does not read.
    let echo = Serving::start(ECHO, &["--quiet", "--idle-timeout", "0.1"]);
    let mut stalled = plain_client(echo.address);
    let mut sent = 0;
    while let Ok(length) = stalled.write(&[7; 65_536]) {
        sent += length;
    }
    assert!(sent > 0);
    assert_eq!(echo.stop().errors, "");
}

/// How many threads the program has for connections, besides its first.
fn server_threads(serving: &Serving) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", serving.id())).unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    names.filter(|name| name.as_ref().is_ok_and(|name| name.starts_with("server thread"))).count()
}

#[test]
fn several_threads_answer_everybody() {
    for (program, arguments) in [
        (HELLO, &["--threads", "4"][..]),
        (ECHO, &["--threads", "4"]),
        (HELLO, &["--threads", "4", "--max-connections", "401", "--backend", "poll"]),
    ] {
        let serving = Serving::start(program, arguments);
        let mut clients = Vec::new();
        for _ in 0..400 {
            let mut client = plain_client(serving.address);
            client.write_all(b"Hello world\n").unwrap();
            client.read_exact(&mut [0; 12]).unwrap();
            clients.push(client);
        }
        assert_eq!(server_threads(&serving), 3, "besides the first");
        drop(clients);
        let ended = serving.stop();
        assert_eq!(ended.output.lines().count(), 400);
        assert_eq!(ended.errors, "");
    }
    let hello = Serving::start(HELLO, &[]);
    ask(&mut plain_client(hello.address));
    assert_eq!(server_threads(&hello), 0);
}

#[test]
fn several_threads_speak_http() {
    let hello = Serving::start(HELLO, &["--http", "--threads", "2"]);
    for _ in 0..10 {
        let mut client = plain_client(hello.address);
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello world\n"),
            "{answer}"
        );
    }
    assert_eq!(hello.stop().errors, "");
}

/// Connects, asks once and reads to the end, again and again, until nobody listens any more; returns
/// the local addresses of those that were answered.
fn visit_until_refused(address: std::net::SocketAddr) -> Vec<String> {
    let mut answered = Vec::new();
    while let Ok(mut client) = TcpStream::connect(address) {
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let asked = client.write_all(b"?").and_then(|()| client.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        match asked.and_then(|()| client.read_to_end(&mut answer)) {
            Ok(_) if !answer.is_empty() => {
                assert_eq!(answer, b"Hello world\n");
                answered.push(client.local_addr().unwrap().to_string());
            }
            Ok(_) => {}
            // One that nobody had accepted before the listener was closed.
            Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "never answered"),
        }
    }
    answered
}

#[test]
fn a_signal_under_load_leaves_nobody_who_was_accepted_without_an_answer() {
    for threads in ["1", "4"] {
        let mut hello = Serving::start(HELLO, &["--threads", threads]);
        let address = hello.address;
        let clients: Vec<_> =
            (0..4).map(|_| std::thread::spawn(move || visit_until_refused(address))).collect();
        let mut accepted: Vec<String> = (0..200).map(|_| hello.line()).collect();
        hello.signal(Signal::TERM);
        let ended = hello.ended();
        assert_eq!((ended.status.code(), ended.errors.as_str()), (Some(0), ""));
        accepted.extend(ended.output.lines().map(str::to_owned));
        let mut accepted: Vec<_> = accepted
            .iter()
            .map(|line| line.strip_prefix("Connection from ").unwrap().to_owned())
            .collect();
        let answers = clients.into_iter().flat_map(|client| client.join().unwrap());
        let mut answered: Vec<_> = answers.collect();
        accepted.sort_unstable();
        answered.sort_unstable();
        assert_eq!(accepted, answered, "{threads} threads");
    }
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--addr", "127.0.0.1:99999"], 2, "HOST:PORT"),
        (&["--addr", "nonsense"], 2, "HOST:PORT"),
        (&["--addr", "192.0.2.1:0"], 1, "192.0.2.1:0"),
        (&["--addr"], 2, "--addr"),
        (&["--backend", "magic"], 2, "magic"),
        (&["--max-connections", "0"], 2, "--max-connections"),
        (&["--max-connections", "many"], 2, "--max-connections"),
        (&["--idle-timeout", "0"], 2, "--idle-timeout"),
        (&["--threads", "0"], 2, "--threads"),
        (&["--threads", "many"], 2, "--threads"),
        (&["--unknown"], 2, "--help"),
        (&["stray"], 2, "--help"),
    ];
    for (arguments, code, advice) in cases {
        complains(arguments, *code, advice);
    }
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    complains(&["--addr", &held.local_addr().unwrap().to_string()], 1, "--addr");
}

fn complains(arguments: &[&str], code: i32, advice: &str) {
    for program in [HELLO, ECHO] {
        let ended = run(program, arguments);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.errors);
        assert_eq!(ended.output, "");
        assert_eq!(ended.errors.lines().count(), 1, "{arguments:?}: {}", ended.errors);
        assert!(ended.errors.contains(advice), "{arguments:?}: {}", ended.errors);
    }
}

/// Connects so often that the lines about it are more than a pipe holds.
fn connect_often(hello: &Serving) {
    const PIPE: usize = 65_536;
    for _ in 0..2 * PIPE / "Connection from 127.0.0.1:12345\n".len() {
        let client = plain_client(hello.address);
        // Ports are reused at once.
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn standard_output_that_nobody_reads_stalls_nobody() {
    let hello = Serving::start(HELLO, &[]);
    connect_often(&hello);
    for _ in 0..10 {
        ask(&mut plain_client(hello.address));
    }
    hello.signal(Signal::TERM);
    let mut hello = hello;
    let start = Instant::now();
    while !std::fs::read_to_string(format!("/proc/{}/stat", hello.id())).unwrap().contains(") Z ") {
        assert!(start.elapsed() < LIMIT, "the program does not end over a full pipe");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(hello.line().starts_with("Connection from"));
    let ended = hello.ended();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!ended.errors.contains("panicked"), "{}", ended.errors);
}

#[test]
fn closed_standard_output_stalls_nobody() {
    let mut hello = Serving::start(HELLO, &[]);
    hello.close_stdout();
    connect_often(&hello);
    for _ in 0..10 {
        ask(&mut plain_client(hello.address));
    }
    let ended = hello.stop();
    assert!(!ended.errors.contains("panicked"), "{}", ended.errors);
}

#[test]
fn clients_that_reset_the_connection_are_no_news() {
    let (hello, mut complaints) = Serving::start_unheard(HELLO, &["--quiet"]);
    for _ in 0..100 {
        let client = plain_client(hello.address);
        (&client).write_all(b"?").unwrap();
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    ask(&mut plain_client(hello.address));
    hello.stop();
    let mut said = String::new();
    complaints.read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_client_that_half_closes_after_asking_is_answered_before_the_close() {
    for backend in Backend::available() {
        let hello = Serving::start(HELLO, &["--backend", &backend.to_string()]);
        let mut client = plain_client(hello.address);
        client.write_all(b"?").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "Hello world\n", "{backend}");
        hello.stop();
    }
}

/// Sends bytes of a pattern from `sent` on, up to `total`; returns how far it came before an error.
fn send_pattern(mut writer: &std::net::TcpStream, mut sent: usize, total: usize) -> usize {
    let block: Vec<u8> = (0..251 * 256).map(|at| (at % 251) as u8).collect();
    while sent < total {
        let bytes = &block[sent % 251..];
        match writer.write(&bytes[..bytes.len().min(total - sent)]) {
            Ok(written) => sent += written,
            Err(_) => break,
        }
    }
    sent
}

/// Sends `total` bytes and reads the first back only when no more can be sent.
fn echo_late(address: std::net::SocketAddr, total: usize) {
    let mut client = plain_client(address);
    let writer = client.try_clone().unwrap();
    writer.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let sent = send_pattern(&writer, 0, total);
    writer.set_write_timeout(Some(LIMIT)).unwrap();
    let sender = std::thread::spawn(move || {
        assert_eq!(send_pattern(&writer, sent, total), total);
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let (mut buffer, mut have) = (vec![0; 65_536], 0);
    loop {
        let read = client.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        for (at, byte) in buffer[..read].iter().enumerate() {
            assert_eq!(*byte, ((have + at) % 251) as u8);
        }
        have += read;
    }
    assert_eq!(have, total);
    sender.join().unwrap();
}

#[test]
fn echo_does_not_grow_with_a_client_that_reads_late() {
    const MOST_KILOBYTES: u64 = 2_048;
    for backend in [Backend::Epoll, Backend::Poll] {
        let echo = Serving::start(ECHO, &["--backend", &backend.to_string()]);
        echo_late(echo.address, 1_000_000);
        let before = echo.kilobytes("VmRSS");
        echo_late(echo.address, 50_000_000);
        let grown = echo.kilobytes("VmHWM").saturating_sub(before);
        assert!(grown < MOST_KILOBYTES, "{backend}: {grown} kB more");
        echo.stop();
    }
}

#[test]
fn echo_serves_others_while_one_does_not_read() {
    let echo = Serving::start(ECHO, &["--quiet"]);
    let stalled = plain_client(echo.address);
    stalled.set_nonblocking(true).unwrap();
    let start = Instant::now();
    let (mut sent, mut idle) = (0, 0);
    while idle < 20 && start.elapsed() < LIMIT {
        match (&stalled).write(&[7; 65_536]) {
            Ok(length) => (sent, idle) = (sent + length, 0),
            Err(_) => {
                idle += 1;
                let mut other = plain_client(echo.address);
                other.write_all(b"and I?").unwrap();
                other.read_exact(&mut [0; 6]).unwrap();
            }
        }
    }
    assert!(idle == 20 && sent > 0);
    stalled.set_nonblocking(false).unwrap();
    stalled.shutdown(Shutdown::Write).unwrap();
    assert_eq!(drain_in_a_thread(stalled).join().unwrap(), sent);
    echo.stop();
}
