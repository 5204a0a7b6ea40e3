//! Addresses by name.

mod util;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use futures_util::join;
use net::{EventLoop, LookupError, NoLoop, TcpListener, TcpStream, ToAddresses, lookup};
use util::{cause, run};

fn found(host: impl ToAddresses + 'static) -> io::Result<Vec<SocketAddr>> {
    run(&EventLoop::new().expect("a loop"), lookup(host))
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A name with a label longer than the 63 bytes that there may be, so that no server is asked for it.
fn nobody() -> String {
    "x".repeat(64)
}

#[test]
fn digits_are_taken_as_they_are_and_need_no_thread() {
    // A manual clock has neither a thread nor a resolver.
    let (event_loop, _) = EventLoop::manual();
    run(&event_loop, async {
        let v4 = [address("192.0.2.1:80")];
        assert_eq!(lookup("192.0.2.1:80").await.unwrap(), v4);
        assert_eq!(lookup(("192.0.2.1", 80)).await.unwrap(), v4);
        assert_eq!(lookup(String::from("192.0.2.1:80")).await.unwrap(), v4);
        assert_eq!(lookup(v4[0]).await.unwrap(), v4);
        assert_eq!(lookup(&v4[0]).await.unwrap(), v4);
        let v6 = [address("[2001:db8::1]:443")];
        assert_eq!(lookup("[2001:db8::1]:443").await.unwrap(), v6);
        assert_eq!(lookup(("2001:db8::1", 443)).await.unwrap(), v6);
        assert_eq!(lookup((String::from("2001:db8::1"), 443)).await.unwrap(), v6);
    });
}

#[test]
fn this_machine_knows_its_own_name() {
    for addresses in [found("localhost:80").unwrap(), found(("localhost", 80)).unwrap()] {
        assert!(!addresses.is_empty());
        for (index, address) in addresses.iter().enumerate() {
            assert!(address.ip().is_loopback(), "{address}");
            assert_eq!(address.port(), 80);
            assert!(!addresses[..index].contains(address), "{address} comes twice");
        }
    }
}

#[test]
fn a_text_without_a_port_is_refused_by_name() {
    for text in ["localhost", "localhost:", ":", "", "localhost:65536", "localhost:http", "[::1]"] {
        let error = found(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert_eq!(cause::<LookupError>(&error).host(), text);
        let said = format!("cannot find an address of {text:?}: it should read host:port");
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_says_which() {
    for host in [&nobody(), "a\0b"] {
        let error = found((host.to_owned(), 80)).unwrap_err();
        let named: &LookupError = cause(&error);
        assert_eq!(named.host(), host);
        assert!(std::error::Error::source(named).is_some());
        let start = format!("cannot find an address of {host:?}: ");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[test]
fn outside_a_loop_there_is_no_lookup() {
    let error = futures_lite::future::block_on(lookup("localhost:80")).unwrap_err();
    let _: &NoLoop = cause(&error);
}

#[test]
fn a_manual_clock_asks_nobody() {
    let (event_loop, _) = EventLoop::manual();
    let error = run(&event_loop, lookup("localhost:80")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("\"localhost\""), "{error}");
}

#[test]
fn many_lookups_at_once_share_one_thread() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.set_unblock_threads(1);
    run(&event_loop, async {
        let tasks: Vec<_> = (1..200).map(|port| net::spawn(lookup(("localhost", port)))).collect();
        for (task, port) in tasks.into_iter().zip(1..200) {
            let addresses = task.await.unwrap().unwrap();
            assert!(addresses.iter().all(|address| address.port() == port));
        }
    });
}

#[test]
fn a_connection_by_name_finds_the_family_that_listens() {
    let event_loop = EventLoop::new().unwrap();
    run(&event_loop, async {
        let listener = TcpListener::bind(address("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stream, accepted) =
            join!(TcpStream::connect_to(("localhost", port)), listener.accept());
        let (stream, (_, peer)) = (stream.unwrap(), accepted.unwrap());
        assert_eq!(stream.local_addr().unwrap(), peer);
    });
    assert_eq!(event_loop.stats().timers, 0);
}

#[test]
fn a_connection_to_a_name_that_nobody_has_says_so() {
    let event_loop = EventLoop::new().unwrap();
    let error = run(&event_loop, TcpStream::connect_to((nobody(), 80))).unwrap_err();
    assert_eq!(cause::<LookupError>(&error).host(), nobody());
}
