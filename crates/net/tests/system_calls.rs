//! What a request costs in system calls, counted by strace; and what the kernel's odd answers do.
#![cfg(all(target_os = "linux", feature = "programs"))]

mod socket_util;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Signal, kill_process};
use socket_util::plain_client;
use socket_util::program::ask;
use socket_util::trace::{Traced, can_trace};

const CONNECTIONS: usize = 50;
const ROUNDS: usize = 200;
const REQUESTS: usize = CONNECTIONS * ROUNDS;

/// Asks once on every connection, as often as told.
fn ask_in_rounds(clients: &mut [TcpStream], rounds: usize, ask: fn(&mut TcpStream)) {
    for _ in 0..rounds {
        clients.iter_mut().for_each(ask);
    }
}

/// Asks `hello --http`.
fn ask_http(client: &mut TcpStream) {
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 114];
    client.read_exact(&mut answer).unwrap();
    assert!(answer.ends_with(b"\r\n\r\nHello world\n"));
}

/// Registrations before the first mark: the notifier, the listener, and each connection.
const FIRST: usize = 2 + CONNECTIONS;

/// The system calls of the thread that serves, from the registration of the first mark to that of
/// the second.
fn between_marks(log: &str) -> BTreeMap<&str, usize> {
    let thread = log.split_whitespace().next().unwrap();
    let mut calls = BTreeMap::new();
    let mut marks = 0;
    for line in log.lines() {
        let Some((id, call)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let call = call.trim_start();
        // What another thread interrupts is written in two lines; the second is no call.
        if id != thread || call.starts_with("<...") || call.starts_with(['-', '+']) {
            continue;
        }
        let name = call.split('(').next().unwrap();
        marks += usize::from(name == "epoll_ctl");
        if marks == FIRST + 1 {
            *calls.entry(name).or_default() += 1;
        }
    }
    assert_eq!(marks, FIRST + 2, "one registration for each, and for the two marks");
    calls
}

/// Asks on kept connections, between two connections that mark the place in the log.
fn trace_requests(
    test: &str,
    arguments: &[&str],
    ask: fn(&mut TcpStream),
) -> BTreeMap<String, usize> {
    let hello = Traced::start(test, &[], &[&["--quiet", "--backend", "epoll"], arguments].concat());
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| plain_client(hello.address)).collect();
    ask_in_rounds(&mut clients, 2, ask);
    let mut mark = plain_client(hello.address);
    ask(&mut mark);
    ask_in_rounds(&mut clients, ROUNDS, ask);
    let mut end = plain_client(hello.address);
    ask(&mut end);
    drop((clients, mark, end));
    let log = hello.stop();
    let sends = log.lines().filter(|line| line.contains("sendto("));
    sends.for_each(|line| assert!(line.contains("MSG_NOSIGNAL"), "{line}"));
    between_marks(&log).into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn a_request_is_one_recv_one_send_and_a_share_of_one_wait() {
    if can_trace() {
        assert_one_of_each(trace_requests("requests", &[], ask));
    }
}

#[test]
fn a_request_of_http_is_so_too() {
    if can_trace() {
        assert_one_of_each(trace_requests("http", &["--http"], ask_http));
    }
}

fn assert_one_of_each(mut calls: BTreeMap<String, usize>) {
    println!("{REQUESTS} requests: {calls:?}");
    let mut take = |name: &str| calls.remove(name).unwrap_or_default();
    let waits = take("epoll_pwait2") + take("epoll_pwait") + take("epoll_wait");
    let (receives, sends) = (take("recvfrom"), take("sendto"));
    // The first mark is a connection with a request of its own: it is accepted and registered, and
    // accepting goes on until there are no more; the wait for the second mark is its own, too.
    assert_eq!((receives, sends), (REQUESTS + 1, REQUESTS + 1));
    assert!(waits <= REQUESTS + 4, "{waits} waits");
    assert!(take("accept4") <= 3);
    assert_eq!(take("epoll_ctl"), 1, "that of the mark");
    assert!(calls.is_empty(), "and nothing else: {calls:?}");
}

#[test]
fn a_wait_is_shared_by_what_is_ready_together() {
    if !can_trace() {
        return;
    }
    let hello = Traced::start("shared", &[], &["--quiet"]);
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| plain_client(hello.address)).collect();
    ask_in_rounds(&mut clients, 1, ask);
    let mut mark = plain_client(hello.address);
    ask(&mut mark);
    for _ in 0..20 {
        // While the program is stopped, all questions come in.
        let traced = hello.traced();
        kill_process(traced, Signal::STOP).unwrap();
        clients.iter_mut().for_each(|client| client.write_all(b"?").unwrap());
        kill_process(traced, Signal::CONT).unwrap();
        clients.iter_mut().for_each(|client| client.read_exact(&mut [0; 12]).unwrap());
    }
    let mut end = plain_client(hello.address);
    ask(&mut end);
    drop((clients, mark, end));
    let log = hello.stop();
    let calls = between_marks(&log);
    println!("20 times {CONNECTIONS} requests at once: {calls:?}");
    let waits: usize = ["epoll_pwait2", "epoll_pwait", "epoll_wait"]
        .iter()
        .filter_map(|name| calls.get(name))
        .sum();
    assert!(waits < 20 * CONNECTIONS / 4, "{waits} waits");
}

#[test]
fn a_connection_that_fails_before_it_is_accepted_does_not_stop_the_server() {
    if !can_trace() {
        return;
    }
    for error in ["ECONNABORTED", "EPROTO", "EPERM", "EINTR", "ENETDOWN"] {
        let inject = format!("inject=accept4:error={error}:when=1..3");
        let hello = Traced::start("accept", &["-e", "trace=accept4", "-e", &inject], &["--quiet"]);
        for _ in 0..3 {
            ask(&mut plain_client(hello.address));
        }
        let log = hello.stop();
        assert!(log.contains(error), "{log}");
    }
}

#[test]
fn a_system_without_memory_for_sockets_makes_a_pause() {
    if !can_trace() {
        return;
    }
    let inject = "inject=accept4:error=ENFILE:when=1..3";
    let hello = Traced::start("pause", &["-e", "trace=accept4", "-e", inject], &["--quiet"]);
    ask(&mut plain_client(hello.address));
    assert_eq!(hello.stop().matches("ENFILE").count(), 3);
}

#[test]
fn a_connection_that_cannot_be_registered_is_closed() {
    if !can_trace() {
        return;
    }
    // The first two registrations are the notifier's and the listener's.
    let inject = "inject=epoll_ctl:error=ENOSPC:when=3";
    let options = ["-e", "trace=epoll_ctl,accept4,close", "-e", inject];
    let hello = Traced::start("register", &options, &["--quiet"]);
    let mut refused = plain_client(hello.address);
    let ended = refused.read(&mut [0; 12]);
    assert!(matches!(ended, Ok(0) | Err(_)));
    ask(&mut plain_client(hello.address));
    hello.stop();
}
