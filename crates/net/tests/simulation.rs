//! The simulation itself: that it repeats, keeps its promises, and says what went wrong.
#![cfg(feature = "sim")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use net::sim::{FailureKind, Fault, Sim, check};
use net::{Server, TcpListener, TcpStream, UdpSocket, now, sleep, spawn, timeout, yield_now};

const PORT: u16 = 5001;

const SECOND: Duration = Duration::from_secs(1);

fn everywhere() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], PORT))
}

/// A simulation with an echo server, and where to find it.
fn with_echo(sim: Sim) -> (Sim, SocketAddr) {
    let mut sim = sim;
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let address = (sim.address("server"), PORT).into();
    (sim, address)
}

/// Sends `bytes` to an echo server, and takes in all that comes back.
async fn there_and_back(server: SocketAddr, bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let (mut reader, mut writer) = TcpStream::connect(server).await?.split();
    let sent = spawn(async move {
        writer.write_all(&bytes).await?;
        writer.shutdown()
    });
    let mut heard = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        heard.extend_from_slice(&chunk);
    }
    sent.await.unwrap()?;
    Ok(heard)
}

fn echoes(seed: u64) -> Sim {
    let mut sim = Sim::new(seed).buffers(4096, 4096);
    for fault in Fault::HARMLESS {
        sim = sim.rate(fault, 0.05);
    }
    let (mut sim, server) = with_echo(sim);
    for number in 0..5u32 {
        sim.host(&format!("client {number}"), async move || {
            let bytes: Vec<u8> = (0..20_000).map(|n: u32| (n * 31 + number) as u8).collect();
            let heard = there_and_back(server, bytes.clone()).await?;
            assert!(heard == bytes, "{} bytes of {} came back", heard.len(), bytes.len());
            Ok(())
        });
    }
    sim
}

#[test]
fn every_byte_comes_back_whatever_harmless_thing_happens() {
    let checked = check(0..20, echoes, "").unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(checked.runs, 20);
    for fault in Fault::HARMLESS.into_iter().filter(|fault| *fault != Fault::ShortRead) {
        assert!(checked.faults.contains_key(&fault), "{fault} never struck");
    }
}

#[test]
fn a_seed_gives_one_run_and_another_seed_another() {
    let hash = |seed| echoes(seed).run().unwrap().hash;
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn a_day_of_waiting_takes_no_time() {
    let mut sim = Sim::new(0);
    sim.host("sleeper", async || {
        let start = now();
        sleep(23 * 60 * 60 * SECOND).await;
        assert_eq!(now() - start, 23 * 60 * 60 * SECOND);
        Ok(())
    });
    assert_eq!(sim.run().unwrap().time, 23 * 60 * 60 * SECOND);
}

#[test]
fn a_host_whose_program_has_ended_may_still_get_news() {
    let mut sim = Sim::new(0);
    sim.host("server", async || {
        let listener = TcpListener::bind(everywhere())?;
        let (mut stream, _) = listener.accept().await?;
        drop(spawn(async move { while let Ok(Some(_)) = stream.chunk().await {} }));
        Ok(())
    });
    let server: SocketAddr = (sim.address("server"), PORT).into();
    sim.host("client", async move || {
        sleep(SECOND).await;
        let mut stream = TcpStream::connect(server).await?;
        for _ in 0..5 {
            sleep(SECOND).await;
            stream.write_all(b"news").await?;
        }
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_host_has_one_thread() {
    let mut sim = Sim::new(0);
    sim.host("server", async || {
        let server = Server::bind(everywhere())?.threads(2);
        let refused = server.serve(net::handlers::echo).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("threads"), "{refused}");
        Ok(())
    });
    sim.service("alone", async || {
        Server::bind(everywhere())?.threads(1).serve(net::handlers::echo).await.map(drop)
    });
    let alone = (sim.address("alone"), PORT).into();
    sim.host("client", async move || {
        assert_eq!(there_and_back(alone, b"hello".to_vec()).await?, b"hello");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn nobody_there_is_told_by_kind() {
    let mut sim = Sim::new(0);
    sim.host("deaf", async || Ok(()));
    let deaf = (sim.address("deaf"), PORT).into();
    sim.host("client", async move || {
        let refused = TcpStream::connect(deaf).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let nowhere = "10.9.9.9:1".parse().unwrap();
        let unreachable = TcpStream::connect(nowhere).await.unwrap_err();
        assert_eq!(unreachable.kind(), ErrorKind::HostUnreachable);
        let taken = TcpListener::bind(everywhere())?;
        assert_eq!(
            TcpListener::bind(taken.local_addr()?).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_partition_delays_and_heals() {
    let (mut sim, server) = with_echo(Sim::new(3));
    sim.host("client", async move || {
        sleep(2 * SECOND).await;
        let start = now();
        assert_eq!(there_and_back(server, b"hello".to_vec()).await?, b"hello");
        assert!(now() - start > 7 * SECOND, "nothing gets through before the tenth second");
        Ok(())
    });
    sim.partition("server", "client", SECOND..10 * SECOND);
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_host_that_crashes_forgets_its_connections_and_comes_back() {
    let (mut sim, server) = with_echo(Sim::new(4));
    sim.host("client", async move || {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(b"!").await?;
        assert_eq!(stream.chunk().await?.as_deref(), Some(&b"!"[..]));
        sleep(2 * SECOND).await;
        stream.write_all(b"while it is down").await?;
        let error = stream.chunk().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(there_and_back(server, b"after".to_vec()).await?, b"after");
        Ok(())
    });
    sim.crash("server", SECOND..5 * SECOND);
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.time > 5 * SECOND);
}

#[test]
fn who_waits_for_ever_is_listed() {
    let mut sim = Sim::new(0);
    sim.host("waiter", async || TcpListener::bind(everywhere())?.accept().await.map(drop));
    let failure = sim.run().unwrap_err();
    let FailureKind::Stuck { waiting } = &failure.kind else { panic!("{failure}") };
    assert_eq!(waiting.len(), 1);
    let text = failure.to_string();
    assert!(text.contains("waiter: task 0v1 (main) waits to read 0.0.0.0:5001"), "{text}");
}

#[test]
fn a_failure_is_shrunk_to_the_faults_that_matter() {
    let build = |seed| {
        let sim = Sim::new(seed).rate(Fault::Reset, 0.2).rate(Fault::ShortWrite, 0.5);
        let (mut sim, server) = with_echo(sim.rate(Fault::Interrupted, 0.5));
        sim.host("client", async move || {
            let bytes = vec![7; 50_000];
            assert_eq!(there_and_back(server, bytes.clone()).await?, bytes);
            Ok(())
        });
        sim
    };
    let failure = check(0..10, build, "repeat --seed {seed}").unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("of ") && text.contains("these are enough:\n  Reset, at its"), "{text}");
    assert!(!text.contains("enough:\n  ShortWrite"), "{text}");
    assert!(text.contains(&format!("repeat --seed {}", failure.report.seed)), "{text}");
}

#[test]
fn limits_end_a_run_that_does_not_end() {
    let endless = |sim: Sim| {
        let mut sim = sim;
        sim.host("busy", async || {
            loop {
                sleep(SECOND).await;
            }
        });
        sim.run().unwrap_err().kind
    };
    assert!(matches!(endless(Sim::new(0).step_limit(10)), FailureKind::Steps(10)));
    let limit = 60 * SECOND;
    assert!(matches!(endless(Sim::new(0).time_limit(limit)), FailureKind::Time(t) if t == limit));
}

#[test]
fn a_panic_anywhere_fails_the_run() {
    let mut sim = Sim::new(0);
    sim.host("host", async || {
        drop(spawn(async { panic!("oh no") }));
        sleep(SECOND).await;
        Ok(())
    });
    let failure = sim.run().unwrap_err();
    let FailureKind::Panic { host, message } = &failure.kind else { panic!("{failure}") };
    assert!(host == "host" && message.contains("oh no"), "{message}");
}

#[test]
fn datagrams_are_lost_doubled_overtaken_and_never_changed() {
    let build = |seed| {
        let mut sim = Sim::new(seed)
            .rate(Fault::DatagramLoss, 0.2)
            .rate(Fault::DatagramDuplicate, 0.2)
            .rate(Fault::DatagramReorder, 0.2);
        sim.service("server", async || {
            let socket = UdpSocket::bind(everywhere())?;
            let mut buffer = [0; 64];
            loop {
                let (received, from) = socket.recv_from(&mut buffer).await?;
                socket.send_to(&buffer[..received.length], &from).await?;
            }
        });
        let server = (sim.address("server"), PORT).into();
        sim.host("client", async move || {
            let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
            socket.connect(&server)?;
            for number in 0..20u8 {
                let asked = [number; 32];
                ask(&socket, &asked).await?;
            }
            Ok(())
        });
        sim
    };
    let checked = check(0..20, build, "").unwrap_or_else(|failure| panic!("{failure}"));
    for fault in [Fault::DatagramLoss, Fault::DatagramDuplicate, Fault::DatagramReorder] {
        assert!(checked.faults.contains_key(&fault), "{fault} never struck");
    }
}

/// Sends until the answer to this very question has come.
async fn ask(socket: &UdpSocket, question: &[u8]) -> std::io::Result<()> {
    let mut buffer = [0; 64];
    loop {
        socket.send(question).await?;
        while let Ok(received) = timeout(SECOND, socket.recv(&mut buffer)).await {
            let answer = &buffer[..received?.length];
            assert!(answer.iter().all(|byte| *byte == answer[0]), "{answer:?}");
            if answer == question {
                return Ok(());
            }
        }
    }
}

/// A server of everything that faults meet, and a client that uses it for two seconds, whatever comes.
fn traffic(sim: Sim) -> Sim {
    let (mut sim, server) = with_echo(sim);
    sim.service("datagrams", async || {
        let socket = UdpSocket::bind(everywhere())?;
        let mut buffer = [0; 64];
        loop {
            if let Ok((received, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(&buffer[..received.length], &from).await;
            }
        }
    });
    let datagrams = (sim.address("datagrams"), PORT).into();
    sim.host("client", async move || {
        let start = now();
        while now() - start < 2 * SECOND {
            let echo = spawn(timeout(SECOND, there_and_back(server, vec![7; 3000])));
            let _ = timeout(SECOND, ask_once(datagrams)).await;
            #[cfg(unix)]
            {
                let (mut near, mut far) = net::UnixStream::pair()?;
                near.write_all(b"across the room").await?;
                let _ = timeout(SECOND, far.chunk()).await;
            }
            let _ = echo.await;
        }
        Ok(())
    });
    sim
}

async fn ask_once(server: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
    socket.send_to(b"anybody there?", &server).await?;
    socket.recv(&mut [0; 64]).await.map(drop)
}

#[test]
fn every_fault_strikes_at_its_moment_and_once() {
    for fault in Fault::ALL {
        if fault == Fault::ShortRead && !cfg!(unix) {
            continue;
        }
        let sim = traffic(Sim::new(1).fault_at(fault, SECOND / 2));
        let report = sim.run().unwrap_or_else(|failure| panic!("{fault}: {failure}"));
        assert_eq!(report.faults, [(fault, 1)].into(), "{fault}");
    }
}

#[test]
fn every_fault_strikes_at_its_rate() {
    for fault in Fault::ALL {
        if fault == Fault::ShortRead && !cfg!(unix) {
            continue;
        }
        // A host that is down does not crash.
        let least = if fault == Fault::Crash { 1 } else { 2 };
        let rate = if Fault::HARMLESS.contains(&fault) { 1.0 } else { 0.3 };
        let report = traffic(Sim::new(1).rate(fault, rate)).run();
        let report = report.unwrap_or_else(|failure| panic!("{fault}: {failure}"));
        assert!(report.faults[&fault] >= least, "{fault}: {:?}", report.faults);
    }
}

#[test]
fn a_host_may_crash_after_its_program_has_ended() {
    let mut sim = Sim::new(0);
    sim.host("short", async || Ok(()));
    let short = (sim.address("short"), PORT).into();
    sim.host("long", async move || {
        sleep(5 * SECOND).await;
        let refused = TcpStream::connect(short).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "it is up again, with no program");
        Ok(())
    });
    sim.crash("short", SECOND..3 * SECOND);
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn who_connects_to_a_host_that_is_down_gets_through_later() {
    let (mut sim, server) = with_echo(Sim::new(5));
    sim.host("client", async move || {
        sleep(2 * SECOND).await;
        assert_eq!(there_and_back(server, b"hello".to_vec()).await?, b"hello");
        Ok(())
    });
    sim.crash("server", SECOND..8 * SECOND);
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.time > 8 * SECOND);
}

#[test]
fn who_connects_to_a_host_that_stays_down_is_told() {
    let (mut sim, server) = with_echo(Sim::new(5));
    sim.host("client", async move || {
        sleep(2 * SECOND).await;
        let start = now();
        let error = TcpStream::connect(server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!((now() - start).as_secs(), 127);
        Ok(())
    });
    sim.crash("server", SECOND..1000 * SECOND);
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_crash_takes_the_backlog_along() {
    let mut sim = Sim::new(6);
    sim.service("server", async || {
        let listener = TcpListener::bind(everywhere())?;
        sleep(60 * SECOND).await;
        listener.accept().await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    sim.host("client", async move || {
        let mut stream = TcpStream::connect(server).await?;
        sleep(5 * SECOND).await;
        stream.write_all(b"anybody there?").await?;
        assert_eq!(stream.chunk().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        Ok(())
    });
    sim.crash("server", SECOND..2 * SECOND);
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_sender_gives_up_after_a_quarter_of_an_hour_and_a_reader_never() {
    let (mut sim, server) = with_echo(Sim::new(7));
    sim.host("client", async move || {
        let mut stream = TcpStream::connect(server).await?;
        let mut silent = TcpStream::connect(server).await?;
        sleep(2 * SECOND).await;
        let start = now();
        stream.write_all(b"anybody there?").await?;
        assert_eq!(stream.chunk().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!((now() - start).as_secs(), 924);
        assert!(timeout(5000 * SECOND, silent.chunk()).await.is_err());
        Ok(())
    });
    sim.partition("server", "client", SECOND..10_000 * SECOND);
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_reader_that_is_stuck_lets_buffers_fill_and_no_more() {
    let sim = Sim::new(8).buffers(5000, 3000).fault_at(Fault::StuckReader, Duration::ZERO);
    let (mut sim, server) = with_echo(sim);
    sim.host("client", async move || {
        let mut stream = TcpStream::connect(server).await?;
        let mut written = 0;
        while let Ok(wrote) = timeout(60 * SECOND, stream.write(&[7; 1000])).await {
            written += wrote?;
        }
        assert!((5000..=8000).contains(&written), "{written}");
        // The other connections go on.
        assert_eq!(there_and_back(server, b"hello".to_vec()).await?, b"hello");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_server_of_datagrams_crashes_too() {
    let mut sim = Sim::new(9).fault_at(Fault::Crash, SECOND);
    let starts = Rc::new(std::cell::Cell::new(0));
    let counted = Rc::clone(&starts);
    sim.service("server", async move || {
        counted.set(counted.get() + 1);
        let socket = UdpSocket::bind(everywhere())?;
        loop {
            socket.recv(&mut [0; 64]).await?;
        }
    });
    let server = (sim.address("server"), PORT).into();
    sim.host("client", async move || {
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
        for _ in 0..30 {
            socket.send_to(b"hello", &server).await?;
            sleep(SECOND).await;
        }
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(starts.get(), 2);
}

#[test]
fn a_task_that_asks_in_a_circle_gets_its_answer() {
    let (mut sim, server) = with_echo(Sim::new(10));
    sim.host("client", async move || {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(b"!").await?;
        let mut buffer = [0; 8];
        loop {
            match stream.try_read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
                read => break assert_eq!(read?, 1),
            }
        }
        let start = now();
        while now() - start < SECOND / 100 {
            yield_now().await;
        }
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[cfg(unix)]
#[test]
fn a_pair_takes_two_descriptors_or_none() {
    let mut sim = Sim::new(0).descriptors(3);
    sim.host("host", async || {
        let first = net::UnixStream::pair()?;
        let full = rustix::io::Errno::MFILE.raw_os_error();
        let refused = net::UnixStream::pair().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(full));
        assert_eq!(net::UnixDatagram::pair().unwrap_err().raw_os_error(), Some(full));
        drop(net::UnixDatagram::unbound()?);
        drop(first);
        net::UnixDatagram::pair().map(drop)
    });
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(report.open_sockets, 0);
}

#[test]
fn a_host_that_is_down_has_no_sockets() {
    let (mut sim, server) = with_echo(Sim::new(0));
    sim.host("client", async move || {
        let _stream = TcpStream::connect(server).await?;
        sleep(2 * SECOND).await;
        Ok(())
    });
    sim.crash("server", SECOND..60 * SECOND);
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(report.open_sockets, 0);
}
