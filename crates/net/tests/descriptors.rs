//! A server whose process runs out of descriptors: it pauses, says so once, burns nothing, and
//! goes on. Each test runs in a process of its own, so that the limit is nobody else's.
#![cfg(target_os = "linux")]

mod socket_util;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::rc::Rc;
use std::time::{Duration, Instant};

use net::{Backend, Cause, EventLoop, Server, handlers};
use socket_util::alone::{in_a_process_of_its_own, lower_limit};
use socket_util::{LIMIT, any_port, plain_client};

/// A server of `hello` in a process whose descriptors can be used up.
struct Exhausted {
    event_loop: EventLoop,
    server: net::JoinHandle<std::io::Result<net::Served>>,
    accepted: Rc<Cell<usize>>,
    reports: Rc<RefCell<Vec<String>>>,
    clients: Vec<std::net::TcpStream>,
    hogs: Vec<File>,
}

impl Exhausted {
    /// `served` clients are connected, `waiting` more are in the backlog, and no descriptor is left.
    fn new(backend: Backend, served: usize, waiting: usize) -> Exhausted {
        let event_loop = EventLoop::with_backend(backend).unwrap();
        let (accepted, reports) = (Rc::new(Cell::new(0)), Rc::default());
        let (count, kept) = (Rc::clone(&accepted), Rc::<RefCell<Vec<String>>>::clone(&reports));
        event_loop.on_failure(move |failure| {
            assert!(matches!(failure.cause, Cause::Accept(_)), "{failure}");
            kept.borrow_mut().push(failure.to_string());
        });
        let (address, server) = event_loop.enter(|| {
            let server = Server::bind(any_port()).unwrap();
            let server = server.on_connect(move |_| count.set(count.get() + 1));
            (server.local_addr().unwrap(), net::spawn(server.serve(handlers::hello)))
        });
        let mut clients: Vec<_> = (0..served).map(|_| plain_client(address)).collect();
        let mut exhausted = Exhausted {
            event_loop,
            server,
            accepted,
            reports,
            clients: Vec::new(),
            hogs: Vec::new(),
        };
        exhausted.turn_until_accepted(served);
        clients.extend((0..waiting).map(|_| plain_client(address)));
        exhausted.clients = clients;
        exhausted.use_up();
        exhausted
    }

    fn use_up(&mut self) {
        let in_use = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        let limit = in_use + 4;
        lower_limit(limit);
        self.hogs = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    }

    fn turn_until_accepted(&self, accepted: usize) {
        let start = Instant::now();
        while self.accepted.get() < accepted {
            assert!(start.elapsed() < LIMIT, "{} of {accepted} accepted", self.accepted.get());
            self.event_loop.turn(Some(Duration::from_millis(10))).unwrap();
        }
    }

    fn turn_until_reported(&self, reports: usize) {
        let start = Instant::now();
        while self.reports.borrow().len() < reports {
            assert!(start.elapsed() < LIMIT, "nothing was reported");
            self.event_loop.turn(Some(Duration::from_millis(10))).unwrap();
        }
    }
}

#[test]
fn it_says_so_once_and_burns_nothing() {
    in_a_process_of_its_own("it_says_so_once_and_burns_nothing", |backend| {
        let server = Exhausted::new(backend, 1, 3);
        server.turn_until_reported(1);
        let span = 5 * net::ACCEPT_PAUSE;
        let (start, mut turns) = (Instant::now(), 0);
        while start.elapsed() < span {
            server.event_loop.turn(Some(span)).unwrap();
            turns += 1;
        }
        assert!(turns <= 20, "{turns} turns in {:?}", start.elapsed());
        assert_eq!(server.reports.borrow().len(), 1, "{:?}", server.reports.borrow());
        assert!(server.reports.borrow()[0].contains("cannot accept"));
        assert_eq!(server.accepted.get(), 1);
        assert!(!server.server.is_finished());
    });
}

#[test]
fn it_goes_on_at_the_next_close_of_a_connection() {
    in_a_process_of_its_own("it_goes_on_at_the_next_close_of_a_connection", |backend| {
        let mut server = Exhausted::new(backend, 1, 1);
        server.turn_until_reported(1);
        // The other side's close makes our handler close; that is a turn, and the accept another.
        let stays_open = server.clients[0].try_clone();
        assert!(stays_open.is_err(), "there is no descriptor left");
        server.clients[0].shutdown(std::net::Shutdown::Both).unwrap();
        let start = Instant::now();
        server.turn_until_accepted(2);
        assert!(start.elapsed() < net::ACCEPT_PAUSE, "it waited for the time to pass");
        server.clients.remove(0);
        assert_eq!(server.reports.borrow().len(), 1);
    });
}

#[test]
fn it_goes_on_after_a_while_when_somebody_else_closes() {
    in_a_process_of_its_own("it_goes_on_after_a_while_when_somebody_else_closes", |backend| {
        let mut server = Exhausted::new(backend, 0, 3);
        server.turn_until_reported(1);
        server.hogs.clear();
        server.turn_until_accepted(3);
        assert_eq!(server.reports.borrow().len(), 1);
    });
}

#[test]
fn connections_that_get_through_one_by_one_are_one_episode() {
    let this = "connections_that_get_through_one_by_one_are_one_episode";
    in_a_process_of_its_own(this, |backend| {
        let mut server = Exhausted::new(backend, 0, 3);
        server.turn_until_reported(1);
        for accepted in 1..3 {
            server.hogs.pop();
            server.turn_until_accepted(accepted);
        }
        assert_eq!(server.reports.borrow().len(), 1);
    });
}

#[test]
fn a_second_episode_is_reported_again() {
    in_a_process_of_its_own("a_second_episode_is_reported_again", |backend| {
        let mut server = Exhausted::new(backend, 0, 3);
        let address = server.clients[0].peer_addr().unwrap();
        server.turn_until_reported(1);
        server.hogs.clear();
        server.turn_until_accepted(3);
        server.clients.push(plain_client(address));
        server.use_up();
        server.turn_until_reported(2);
        server.hogs.clear();
        server.turn_until_accepted(4);
        assert_eq!(server.reports.borrow().len(), 2);
    });
}

/// Stops a server that has one connection in its backlog and no descriptor for it, which comes free
/// after the stop or not, and says how many it accepted.
fn accepted_after_a_stop(backend: Backend, comes_free: bool) -> u64 {
    let event_loop = EventLoop::with_backend(backend).unwrap();
    event_loop.on_failure(|_| {});
    let server = event_loop.enter(|| Server::bind(any_port()).unwrap());
    let server = server.grace(Duration::from_millis(300));
    let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
    let serving = event_loop.spawn(server.serve(handlers::hello));
    let _client = plain_client(address);
    let in_use = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    lower_limit(in_use + 2);
    let mut hogs: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    while event_loop.stats().failures == 0 {
        event_loop.turn(Some(Duration::from_millis(10))).unwrap();
    }
    stopper.stop();
    event_loop.turn(Some(Duration::ZERO)).unwrap();
    if comes_free {
        hogs.clear();
    }
    let served = event_loop.run_until(serving).unwrap().unwrap().unwrap();
    served.accepted
}

#[test]
fn a_stop_waits_for_a_descriptor_no_longer_than_the_grace_time() {
    in_a_process_of_its_own(
        "a_stop_waits_for_a_descriptor_no_longer_than_the_grace_time",
        |backend| assert_eq!(accepted_after_a_stop(backend, false), 0),
    );
}

#[test]
fn what_waits_at_the_stop_is_served_once_a_descriptor_is_free() {
    in_a_process_of_its_own(
        "what_waits_at_the_stop_is_served_once_a_descriptor_is_free",
        |backend| assert_eq!(accepted_after_a_stop(backend, true), 1),
    );
}

#[cfg(feature = "programs")]
#[test]
fn hello_serves_as_many_as_it_can_and_the_others_later() {
    use std::io::{Read, Write};
    use std::process::Command;

    use socket_util::program::{HELLO, Serving, ask};
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 24; exec \"$0\" --quiet --addr 127.0.0.1:0", HELLO]);
    let hello = Serving::spawn(command);
    let mut served = Vec::new();
    let mut waiting = loop {
        let mut client = plain_client(hello.address);
        client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        client.write_all(b"?").unwrap();
        if client.read_exact(&mut [0; 12]).is_err() {
            break client;
        }
        served.push(client);
        assert!(served.len() < 24);
    };
    let switches = hello.kilobytes("voluntary_ctxt_switches");
    std::thread::sleep(5 * net::ACCEPT_PAUSE);
    let waits = hello.kilobytes("voluntary_ctxt_switches") - switches;
    assert!(waits < 30, "{waits} waits in half a second");
    ask(&mut served[0]);
    served.truncate(served.len() - 2);
    waiting.set_read_timeout(Some(LIMIT)).unwrap();
    waiting.read_exact(&mut [0; 12]).unwrap();
    drop((served, waiting));
    let ended = hello.stop();
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    assert!(ended.errors.contains("cannot accept"), "{}", ended.errors);
}
