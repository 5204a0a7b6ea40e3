//! The server kit: limits, failures of handlers, the graceful stop.
#![cfg(unix)]

mod socket_util;

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use net::{BUDGET, Backend, EventLoop, JoinHandle, Served, Server, Stopper, TcpStream, handlers};
use socket_util::{any_port, on_every_backend, plain_client, read_exactly, within_limit};

type Serving = JoinHandle<io::Result<Served>>;

/// A server of `hello` at work: where, and what ends it.
fn hello() -> (SocketAddr, Stopper, Serving) {
    start(Server::bind(any_port()).unwrap())
}

fn start(server: Server) -> (SocketAddr, Stopper, Serving) {
    let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
    (address, stopper, net::spawn(server.serve(handlers::hello)))
}

async fn served(serving: Serving) -> Served {
    serving.await.unwrap().unwrap()
}

async fn ask(client: &mut TcpStream) {
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_exactly(client, 12).await, b"Hello world\n");
}

/// Asks in `rounds` and leaves.
async fn visit(address: SocketAddr, rounds: usize) {
    let mut client = TcpStream::connect(address).await.unwrap();
    for _ in 0..rounds {
        ask(&mut client).await;
    }
}

#[test]
fn a_server_answers_many_clients_and_counts_them() {
    const CLIENTS: usize = 200;
    on_every_backend(|| async {
        let (address, stopper, serving) = hello();
        let clients: Vec<_> = (0..CLIENTS).map(|_| net::spawn(visit(address, 10))).collect();
        for client in clients {
            client.await.unwrap();
        }
        stopper.stop();
        let all = Served { accepted: CLIENTS as u64, cancelled: 0 };
        assert_eq!(served(serving).await, all);
    });
}

#[test]
fn echo_returns_what_it_was_sent() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap();
        let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
        let serving = net::spawn(server.serve(handlers::echo));
        let mut client = TcpStream::connect(address).await.unwrap();
        for length in [1, 4_095, 4_096, 4_097, 50_000] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 253) as u8).collect();
            client.write_all(&bytes).await.unwrap();
            assert_eq!(read_exactly(&mut client, length).await, bytes);
        }
        drop(client);
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 1);
    });
}

/// How many connections a server has accepted.
fn counted(server: Server) -> (Server, Rc<Cell<u32>>) {
    let accepted = Rc::new(Cell::new(0));
    let count = Rc::clone(&accepted);
    (server.on_connect(move |_| count.set(count.get() + 1)), accepted)
}

#[test]
fn a_burst_of_connections_keeps_nobody_from_a_turn() {
    const BURST: u32 = 500;
    on_every_backend(|| async {
        let (server, accepted) = counted(Server::bind(any_port()).unwrap());
        let (address, stopper, serving) = start(server);
        let clients: Vec<_> = (0..BURST).map(|_| plain_client(address)).collect();
        let mut before = 0;
        while before < BURST {
            net::yield_now().await;
            let now = accepted.get();
            assert!(now - before <= BUDGET, "{} accepted in one step", now - before);
            before = now;
        }
        drop(clients);
        stopper.stop();
        assert_eq!(served(serving).await.accepted, u64::from(BURST));
    });
}

#[test]
fn connections_over_the_limit_wait_and_are_served_later() {
    on_every_backend(|| async {
        let (server, accepted) = counted(Server::bind(any_port()).unwrap().max_connections(2));
        let (address, stopper, serving) = start(server);
        let mut held = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        for client in &mut held {
            ask(client).await;
        }
        let waiting = net::spawn(visit(address, 1));
        let still = net::timeout(Duration::from_millis(50), ask(&mut held[0])).await;
        still.unwrap();
        net::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished(), "a third connection is served beside two");
        assert_eq!(accepted.get(), 2);
        drop(held);
        waiting.await.unwrap();
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 3);
    });
}

#[test]
fn one_connection_at_a_time_serves_everybody_in_turn() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap().max_connections(1);
        let (address, stopper, serving) = start(server);
        let clients: Vec<_> = (0..20).map(|_| net::spawn(visit(address, 2))).collect();
        for client in clients {
            client.await.unwrap();
        }
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 20);
    });
}

#[test]
fn a_stop_still_serves_the_backlog() {
    on_every_backend(|| async {
        let (address, stopper, serving) = hello();
        let mut clients: Vec<_> = (0..100).map(|_| plain_client(address)).collect();
        for client in &mut clients {
            client.write_all(b"?").unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
        }
        // The server has not had its first turn yet.
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 100, cancelled: 0 });
        for mut client in clients {
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "Hello world\n");
        }
    });
}

#[test]
fn a_stop_serves_a_backlog_beyond_the_limit_of_connections() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap().max_connections(1);
        let (address, stopper, serving) = start(server);
        let clients: Vec<_> = (0..5).map(|_| plain_client(address)).collect();
        stopper.stop();
        drop(clients);
        assert_eq!(served(serving).await, Served { accepted: 5, cancelled: 0 });
    });
}

#[test]
fn connections_may_finish_after_the_stop_and_new_ones_are_refused() {
    on_every_backend(|| async {
        let (address, stopper, serving) = hello();
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client).await;
        stopper.stop();
        // The first refusal shows that the listener is closed.
        while TcpStream::connect(address).await.is_ok() {
            net::yield_now().await;
        }
        assert!(!serving.is_finished());
        ask(&mut client).await;
        drop(client);
        assert_eq!(served(serving).await.cancelled, 0);
    });
}

#[test]
fn connections_that_outlast_the_grace_are_cancelled_and_counted() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap().grace(Duration::from_millis(30));
        let (address, stopper, serving) = start(server);
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = TcpStream::connect(address).await.unwrap();
            ask(&mut client).await;
            clients.push(client);
        }
        let stopped = Instant::now();
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 3, cancelled: 3 });
        assert!(stopped.elapsed() >= Duration::from_millis(30));
        for mut client in clients {
            assert!(client.chunk().await.unwrap().is_none(), "the connection is closed");
        }
    });
}

#[test]
fn a_grace_without_end_waits_for_everybody() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap().grace(Duration::MAX);
        let (address, stopper, serving) = start(server);
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client).await;
        stopper.stop();
        stopper.stop();
        assert!(stopper.is_stopped());
        ask(&mut client).await;
        drop(client);
        assert_eq!(served(serving).await, Served { accepted: 1, cancelled: 0 });
    });
}

#[test]
fn another_thread_stops_a_server_that_waits() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (address, stopper, serving) = event_loop.enter(hello);
        let thread = std::thread::spawn(move || {
            let mut client = plain_client(address);
            client.write_all(b"?").unwrap();
            client.read_exact(&mut [0; 12]).unwrap();
            stopper.stop();
        });
        let ended = within_limit(&event_loop, served(serving));
        assert_eq!(ended.accepted, 1, "{backend}");
        thread.join().unwrap();
    }
}

#[test]
fn a_stop_ends_a_server_that_waits_for_room() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap().max_connections(1);
        let server = server.grace(Duration::from_millis(20));
        let (address, stopper, serving) = start(server);
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client).await;
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 1, cancelled: 1 });
    });
}

/// Fails in the way that the client asks for.
async fn fail_as_told(mut stream: TcpStream, _peer: SocketAddr) -> io::Result<()> {
    while let Some(chunk) = stream.chunk().await? {
        match &*chunk {
            b"error" => return Err(io::Error::other("as you wish")),
            b"panic" => panic!("with pleasure"),
            _ => stream.write_all(&chunk).await?,
        }
    }
    Ok(())
}

#[test]
fn a_handler_that_fails_is_reported_and_ends_its_own_connection_only() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let reports = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&reports);
        event_loop.on_failure(move |failure| kept.borrow_mut().push(failure.to_string()));
        within_limit(&event_loop, async {
            let server = Server::bind(any_port()).unwrap();
            let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
            let serving = net::spawn(server.serve(fail_as_told));
            let mut well = TcpStream::connect(address).await.unwrap();
            for wish in [b"error", b"panic"] {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(wish).await.unwrap();
                assert!(client.chunk().await.unwrap().is_none());
                well.write_all(b"well").await.unwrap();
                assert_eq!(read_exactly(&mut well, 4).await, b"well");
            }
            drop(well);
            stopper.stop();
            assert_eq!(served(serving).await, Served { accepted: 3, cancelled: 0 });
        });
        let reports = reports.borrow();
        assert_eq!(reports.len(), 2, "{reports:?}");
        assert!(reports[0].ends_with("failed: as you wish"), "{reports:?}");
        assert!(reports[1].ends_with("panicked: with pleasure"), "{reports:?}");
        assert_eq!(event_loop.stats().failures, 2);
    }
}

#[test]
fn a_client_that_resets_its_connection_harms_nobody() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        event_loop.on_failure(|_| {});
        within_limit(&event_loop, async {
            let (address, stopper, serving) = hello();
            for _ in 0..10 {
                socket_util::reset(plain_client(address));
            }
            visit(address, 3).await;
            stopper.stop();
            assert_eq!(served(serving).await.accepted, 11);
        });
    }
}

#[test]
fn dropping_a_server_at_work_cancels_its_connections() {
    on_every_backend(|| async {
        let (address, _stopper, serving) = hello();
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client).await;
        assert!(serving.cancel());
        assert!(client.chunk().await.unwrap().is_none());
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn dropping_the_loop_closes_a_server_and_its_connections() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (address, _stopper, serving) = event_loop.enter(hello);
        let mut client = plain_client(address);
        client.write_all(b"?").unwrap();
        while event_loop.stats().tasks < 2 {
            event_loop.turn(Some(Duration::from_millis(10))).unwrap();
        }
        drop(event_loop);
        assert!(serving.is_finished());
        let mut left = Vec::new();
        // An unread question makes it a reset.
        let ended = client.read_to_end(&mut left);
        assert!(ended.is_ok() || ended.unwrap_err().kind() == ErrorKind::ConnectionReset);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_server_without_clients_makes_no_turns() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let _server = event_loop.enter(hello);
        let turns = socket_util::turns_within(&event_loop, Duration::from_millis(100));
        assert!(turns < socket_util::FEW_TURNS, "{backend}: {turns} turns");
    }
}

#[test]
fn handlers_that_never_end_do_not_keep_others_from_theirs() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap().grace(Duration::ZERO);
        let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
        let stuck = Cell::new(3);
        let serving = net::spawn(server.serve(move |stream, peer| {
            let is_stuck = stuck.replace(stuck.get().max(1) - 1) > 0;
            async move {
                if is_stuck {
                    pending::<()>().await;
                }
                handlers::hello(stream, peer).await
            }
        }));
        let stuck: Vec<_> = (0..3).map(|_| plain_client(address)).collect();
        while visit_in_time(address).await.is_err() {}
        stopper.stop();
        assert_eq!(served(serving).await.cancelled, 3);
        drop(stuck);
    });
}

async fn visit_in_time(address: SocketAddr) -> Result<(), net::Elapsed> {
    net::timeout(Duration::from_secs(2), visit(address, 1)).await
}

#[test]
fn a_handler_that_panics_before_its_future_ends_its_own_connection_only() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        event_loop.on_failure(|_| {});
        within_limit(&event_loop, async {
            let server = Server::bind(any_port()).unwrap();
            let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
            let first = Cell::new(true);
            let serving = net::spawn(server.serve(move |stream, peer| {
                assert!(!first.replace(false), "not the first one");
                handlers::hello(stream, peer)
            }));
            let mut refused = TcpStream::connect(address).await.unwrap();
            assert!(refused.chunk().await.unwrap().is_none());
            visit(address, 1).await;
            stopper.stop();
            assert_eq!(served(serving).await.accepted, 2);
        });
        assert_eq!(event_loop.stats().failures, 1);
    }
}

#[test]
fn a_stopper_that_outlives_its_server_does_not_hide_that_a_loop_is_stuck() {
    let event_loop = EventLoop::new().unwrap();
    let stopper = within_limit(&event_loop, async {
        let (address, stopper, serving) = hello();
        visit(address, 1).await;
        stopper.stop();
        served(serving).await;
        stopper
    });
    drop(event_loop.spawn(pending::<()>()));
    let ended = event_loop.run();
    assert!(matches!(ended, Err(net::RunError::Stuck(_))), "{ended:?}");
    assert!(stopper.is_stopped());
}
