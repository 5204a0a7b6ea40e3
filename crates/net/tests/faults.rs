//! Bad peers and bad news of the kernel: who causes it pays for it, and everybody else is served.
#![cfg(target_os = "linux")]

mod socket_util;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
#[cfg(feature = "programs")]
use std::process::Command;
use std::time::Duration;

use net::{Backend, EventLoop, Served, Server, Stopper, TcpStream, handlers, spawn};
use socket_util::{
    FEW_TURNS, LARGE, any_port, on_every_backend, pair_with_plain, plain_client, read_exactly,
    read_to_end, reset, turns_within, within_limit,
};

type Serving = net::JoinHandle<io::Result<Served>>;

fn start<H, F>(handler: H) -> (SocketAddr, Stopper, Serving)
where
    H: Fn(TcpStream, SocketAddr) -> F + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    let server = Server::bind(any_port()).unwrap();
    let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
    (address, stopper, spawn(server.serve(handler)))
}

async fn ask(client: &mut TcpStream) {
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_exactly(client, 12).await, b"Hello world\n");
}

#[test]
fn a_peer_that_resets_in_mid_write_ends_its_own_connection_only() {
    on_every_backend(|| async {
        for read_before in [0, 1, 1 << 20] {
            let (mut stream, mut plain) = pair_with_plain().await;
            let (mut well, mut other) = pair_with_plain().await;
            let writes = spawn(async move { stream.write_all(&vec![1; LARGE]).await });
            while net::stats().socket_waits == 0 {
                net::yield_now().await;
            }
            let mut left = read_before;
            while left > 0 {
                let length = left.min(65_536);
                plain.read_exact(&mut vec![0; length]).unwrap();
                left -= length;
                net::yield_now().await;
            }
            reset(plain);
            let error = writes.await.unwrap().unwrap_err();
            let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            assert!(expected.contains(&error.kind()), "{error}");
            well.write_all(b"well").await.unwrap();
            other.read_exact(&mut [0; 4]).unwrap();
        }
    });
}

#[test]
fn a_reset_behind_data_is_told_by_every_way_to_read_and_write() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        plain.write_all(b"last words").unwrap();
        // Unread data makes the close a reset.
        stream.write_all(b"unheard").await.unwrap();
        drop(plain);
        // The kernel may throw the last words away, and then it says so.
        let mut heard = Vec::new();
        let ended = loop {
            match stream.chunk().await {
                Ok(Some(chunk)) => heard.extend_from_slice(&chunk),
                ended => break ended.map(|chunk| chunk.is_none()),
            }
        };
        assert!(b"last words".starts_with(&heard));
        assert!(ended.is_ok_and(|is_end| is_end) || heard.len() < 11);
        let error = loop {
            match stream.write(b"?").await {
                Ok(_) => net::yield_now().await,
                Err(error) => break error,
            }
        };
        let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(expected.contains(&error.kind()), "{error}");
    });
}

#[test]
fn one_byte_at_a_time_is_served_like_any_other() {
    on_every_backend(|| async {
        let (address, stopper, serving) = start(handlers::echo);
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().split();
        let bytes: Vec<u8> = (0..2_000_u32).map(|at| (at % 251) as u8).collect();
        let sent = bytes.clone();
        let drips = spawn(async move {
            for byte in sent {
                writer.write_all(&[byte]).await.unwrap();
                net::yield_now().await;
            }
            writer.shutdown().unwrap();
        });
        let mut heard = Vec::new();
        while let Some(chunk) = reader.chunk().await.unwrap() {
            heard.extend_from_slice(&chunk);
        }
        assert_eq!(heard, bytes);
        drips.await.unwrap();
        stopper.stop();
        serving.await.unwrap().unwrap();
    });
}

#[test]
fn out_of_band_data_is_passed_over_and_what_surrounds_it_is_answered() {
    on_every_backend(|| async {
        let (address, stopper, serving) = start(handlers::echo);
        let mut plain = plain_client(address);
        let mut well = TcpStream::connect(address).await.unwrap();
        for _ in 0..20 {
            plain.write_all(b"before").unwrap();
            let socket = socket2::SockRef::from(&plain);
            assert_eq!(socket.send_out_of_band(b"!").unwrap(), 1);
            plain.write_all(b"after").unwrap();
            well.write_all(b"well").await.unwrap();
            assert_eq!(read_exactly(&mut well, 4).await, b"well");
        }
        plain.shutdown(Shutdown::Write).unwrap();
        drop(well);
        stopper.stop();
        serving.await.unwrap().unwrap();
        let mut heard = String::new();
        plain.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "beforeafter".repeat(20));
    });
}

#[test]
fn an_urgent_byte_alone_makes_no_turns() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (address, _stopper, serving) = event_loop.enter(|| start(handlers::hello));
        let plain = plain_client(address);
        while event_loop.stats().tasks < 2 {
            event_loop.turn(Some(Duration::from_millis(10))).unwrap();
        }
        socket2::SockRef::from(&plain).send_out_of_band(b"!").unwrap();
        let turns = turns_within(&event_loop, Duration::from_millis(100));
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns");
        serving.cancel();
    }
}

/// What a peer may do, one after the other, before it closes a direction.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    Read,
    EndWriting,
    EndReading,
}

#[test]
fn a_peer_that_closes_half_at_any_point_is_answered_what_it_asked() {
    use Step::{Ask, EndReading, EndWriting, Read as Hear};
    let scripts: [(&[Step], usize); 9] = [
        (&[EndWriting], 0),
        (&[EndReading, EndWriting], 0),
        (&[Ask, EndWriting], 1),
        (&[Ask, Hear, EndWriting], 0),
        (&[Ask, Hear, Ask, EndWriting], 1),
        (&[Ask, EndReading], 1),
        (&[Ask, Hear, EndReading, EndWriting], 0),
        (&[EndReading, Ask, EndWriting], 1),
        (&[Ask, EndReading, EndWriting], 1),
    ];
    on_every_backend(move || async move {
        for (script, answers) in scripts {
            let (address, stopper, serving) = start(handlers::hello);
            let mut plain = plain_client(address);
            for step in script {
                match step {
                    Ask => plain.write_all(b"?").unwrap(),
                    // The server has its turns meanwhile.
                    Hear => hear(&mut plain).await,
                    EndWriting => plain.shutdown(Shutdown::Write).unwrap(),
                    EndReading => plain.shutdown(Shutdown::Read).unwrap(),
                }
            }
            stopper.stop();
            if !matches!(script.last(), Some(EndWriting)) {
                plain.shutdown(Shutdown::Write).unwrap();
            }
            let served = serving.await.unwrap().unwrap();
            assert_eq!((served.accepted, served.cancelled), (1, 0), "{script:?}");
            if script.iter().any(|step| matches!(step, EndReading)) {
                // It does not hear the answer, which may be answered with a reset.
                continue;
            }
            let mut left = String::new();
            plain.read_to_string(&mut left).unwrap();
            assert_eq!(left, "Hello world\n".repeat(answers), "{script:?}");
        }
    });
}

async fn hear(plain: &mut std::net::TcpStream) {
    plain.set_nonblocking(true).unwrap();
    while plain.read(&mut [0; 12]).is_err() {
        net::sleep(Duration::from_millis(1)).await;
    }
    plain.set_nonblocking(false).unwrap();
}

/// Panics while it is dropped.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in a destructor");
        }
    }
}

#[test]
fn a_handler_that_panics_anywhere_is_reported_and_the_others_go_on() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        event_loop.on_failure(|_| {});
        within_limit(&event_loop, async {
            let (address, stopper, serving) = start(|mut stream, _peer| async move {
                let explosive = Explosive;
                let wish = stream.chunk().await?;
                match wish.as_deref() {
                    Some(b"body") => panic!("in the body"),
                    Some(b"end") => drop(explosive),
                    _ => std::mem::forget(explosive),
                }
                while stream.chunk().await?.is_some() {
                    stream.write_all(b"Hello world\n").await?;
                }
                Ok(())
            });
            let mut well = TcpStream::connect(address).await.unwrap();
            well.write_all(b"well").await.unwrap();
            for wish in [&b"body"[..], b"end", b"body"] {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(wish).await.unwrap();
                assert!(read_to_end(&mut client).await.is_empty());
                ask(&mut well).await;
            }
            drop(well);
            stopper.stop();
            assert_eq!(serving.await.unwrap().unwrap().accepted, 4);
        });
        assert_eq!(event_loop.stats().failures, 3, "{backend}");
    }
}

/// Set in the process that runs the body of a test.
#[cfg(feature = "programs")]
const CHILD: &str = "NET_FAULTS_CHILD";

/// Runs this very test in another process, into which strace injects `fault`. Whether that is the
/// process which runs now.
#[cfg(feature = "programs")]
fn is_under_fault(test: &str, fault: &str) -> bool {
    if let Ok(child) = std::env::var(CHILD) {
        return child == fault;
    }
    if socket_util::trace::can_trace() {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", fault]);
        strace.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
        let ended = strace.env(CHILD, fault).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{fault}: {said}");
    }
    false
}

/// Connects to a listener of this process, and talks over the connection.
#[cfg(feature = "programs")]
fn connects() -> io::Result<()> {
    let event_loop = EventLoop::new().unwrap();
    within_limit(&event_loop, async {
        let listener = net::TcpListener::bind(any_port()).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await?;
        let (mut server, _) = listener.accept().await?;
        client.write_all(b"there").await?;
        assert_eq!(read_exactly(&mut server, 5).await, b"there");
        Ok(())
    })
}

#[cfg(feature = "programs")]
#[test]
fn a_connect_that_is_interrupted_or_put_off_connects_all_the_same() {
    const THIS: &str = "a_connect_that_is_interrupted_or_put_off_connects_all_the_same";
    for error in ["EINTR", "EAGAIN"] {
        if is_under_fault(THIS, &format!("inject=connect:error={error}:when=1..2")) {
            connects().unwrap();
        }
    }
}

#[cfg(feature = "programs")]
#[test]
fn a_connect_that_fails_says_why() {
    const THIS: &str = "a_connect_that_fails_says_why";
    for (name, errno) in [
        ("ENETUNREACH", rustix::io::Errno::NETUNREACH),
        ("ENOBUFS", rustix::io::Errno::NOBUFS),
        ("EADDRNOTAVAIL", rustix::io::Errno::ADDRNOTAVAIL),
        ("EMFILE", rustix::io::Errno::MFILE),
    ] {
        let call = if name == "EMFILE" { "socket:error=EMFILE:when=2" } else { "connect:error=" };
        let call = if call.ends_with('=') { format!("{call}{name}") } else { call.to_owned() };
        if is_under_fault(THIS, &format!("inject={call}")) {
            assert_eq!(connects().unwrap_err().raw_os_error(), Some(errno.raw_os_error()));
        }
    }
}

#[cfg(feature = "programs")]
mod programs {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};
    use std::thread;

    use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

    use super::*;
    use crate::socket_util::LIMIT;
    use crate::socket_util::program::{ECHO, HELLO, Serving, ask};
    use crate::socket_util::trace::{Traced, can_trace};

    #[test]
    fn five_thousand_connections_at_once_are_served() {
        const CONNECTIONS: usize = 5_000;
        let limit = net::raise_descriptor_limit().unwrap();
        if limit.is_some_and(|limit| limit < 2 * CONNECTIONS as u64) {
            println!("SKIPPED: only {limit:?} descriptors are allowed");
            return;
        }
        let hello = Serving::start(HELLO, &["--quiet"]);
        let address = hello.address;
        let event_loop = EventLoop::new().unwrap();
        within_limit(&event_loop, async move {
            let clients: Vec<_> =
                (0..CONNECTIONS).map(|_| spawn(TcpStream::connect(address))).collect();
            let mut held = Vec::new();
            for client in clients {
                held.push(client.await.unwrap().unwrap());
            }
            // All are held; then all ask at once, and twice.
            for _ in 0..2 {
                let asking: Vec<_> = held
                    .drain(..)
                    .map(|mut client| {
                        spawn(async move {
                            super::ask(&mut client).await;
                            client
                        })
                    })
                    .collect();
                for client in asking {
                    held.push(client.await.unwrap());
                }
            }
        });
        assert_eq!(hello.stop().errors, "");
    }

    /// Asks, on the same connection or on a new one each time, until the signal has come; what was sent before it must be
    /// answered.
    fn load(
        mut client: std::net::TcpStream,
        signalled: &AtomicBool,
        kept: bool,
        answered: &AtomicUsize,
    ) {
        let address = client.peer_addr().unwrap();
        while !signalled.load(Ordering::SeqCst) {
            let sent = client.write_all(b"?");
            let before = !signalled.load(Ordering::SeqCst);
            let mut answer = Vec::new();
            let mut left = 12;
            while left > 0 {
                let mut bytes = [0; 12];
                match client.read(&mut bytes[..left]) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        answer.extend_from_slice(&bytes[..length]);
                        left -= length;
                    }
                }
            }
            if before {
                sent.unwrap();
                assert_eq!(answer, b"Hello world\n", "asked before the signal");
                answered.fetch_add(1, Ordering::Relaxed);
            } else {
                assert!(answer.is_empty() || answer == b"Hello world\n", "half an answer");
            }
            if !kept {
                // A connection for each question; after the signal they may be refused.
                match std::net::TcpStream::connect(address) {
                    Ok(next) => {
                        next.set_read_timeout(Some(LIMIT)).unwrap();
                        client = next;
                    }
                    Err(error) => {
                        assert!(signalled.load(Ordering::SeqCst), "refused: {error}");
                        return;
                    }
                }
            }
        }
    }

    #[test]
    fn every_request_that_was_sent_before_the_signal_is_answered() {
        for backend in Backend::available() {
            let hello = Serving::start(HELLO, &["--quiet", "--backend", &backend.to_string()]);
            let (signalled, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
            let address = hello.address;
            thread::scope(|scope| {
                for number in 0..16 {
                    let (signalled, answered) = (&signalled, &answered);
                    let client = plain_client(address);
                    scope.spawn(move || load(client, signalled, number % 2 == 0, answered));
                }
                // The load is on once every client has had some answers.
                while answered.load(Ordering::Relaxed) < 500 {
                    thread::yield_now();
                }
                signalled.store(true, Ordering::SeqCst);
                hello.signal(Signal::TERM);
            });
            let ended = hello.ended();
            assert_eq!((ended.status.code(), ended.errors.as_str()), (Some(0), ""), "{backend}");
        }
    }

    #[test]
    fn what_waits_in_sockets_and_backlog_at_the_signal_is_answered() {
        for backend in Backend::available() {
            let hello = Serving::start(HELLO, &["--quiet", "--backend", &backend.to_string()]);
            let mut kept: Vec<_> = (0..100).map(|_| plain_client(hello.address)).collect();
            kept.iter_mut().for_each(ask);
            // While the program is stopped, the kernel takes in all of this, and the signal.
            hello.signal(Signal::STOP);
            let mut new: Vec<_> = (0..100).map(|_| plain_client(hello.address)).collect();
            for client in kept.iter_mut().chain(&mut new) {
                client.write_all(b"?").unwrap();
            }
            hello.signal(Signal::TERM);
            hello.signal(Signal::CONT);
            for mut client in kept.into_iter().chain(new) {
                let mut answer = String::new();
                client.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, "Hello world\n", "{backend}");
            }
            assert_eq!(hello.ended().errors, "");
        }
    }

    /// Bytes that `echo` takes for a connection whose other side does not read, as the docs of the server
    /// say: one chunk, and what an idle connection takes.
    const STALLED: u64 = 5_120;

    /// Bytes that do not depend on the number of connections: tables that grow by a copy, the pool of
    /// chunks, the allocator's reserve.
    const BESIDES: u64 = 1 << 20;

    #[test]
    fn clients_that_do_not_read_cost_a_bounded_amount_of_memory() {
        const CLIENTS: u64 = 1_000;
        net::raise_descriptor_limit().unwrap();
        let echo = Serving::start(ECHO, &["--quiet"]);
        let mut well = plain_client(echo.address);
        well.write_all(b"well").unwrap();
        well.read_exact(&mut [0; 4]).unwrap();
        // With a byte more than it may have, the program would be aborted.
        let bytes = echo.kilobytes("VmData:") * 1024 + CLIENTS * STALLED + BESIDES;
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        let id = Pid::from_raw(echo.id().try_into().unwrap());
        prlimit(id, Resource::Data, limit).unwrap();
        let mut stalled = Vec::new();
        for _ in 0..CLIENTS {
            let client = std::net::TcpStream::connect(echo.address).unwrap();
            client.set_nonblocking(true).unwrap();
            // What the kernel holds is not counted here, and need not be much.
            socket2::SockRef::from(&client).set_recv_buffer_size(4_096).unwrap();
            socket2::SockRef::from(&client).set_send_buffer_size(8_192).unwrap();
            stalled.push(client);
        }
        // Until the program takes no more of anybody.
        let bytes = [7; 65_536];
        let mut quiet = 0;
        while quiet < 5 {
            let sent: usize =
                stalled.iter().filter_map(|mut client| client.write(&bytes).ok()).sum();
            quiet = if sent == 0 { quiet + 1 } else { 0 };
            well.write_all(b"well").unwrap();
            well.read_exact(&mut [0; 4]).unwrap();
        }
        drop((stalled, well));
        assert_eq!(echo.stop().errors, "");
    }

    /// Asks `hello` twice on each of four connections while `fault` is injected; how many answers came,
    /// and what strace saw.
    fn ask_under(fault: &str, backend: &str) -> (usize, String) {
        let calls = fault.split(':').next().unwrap();
        let options = ["-e", &format!("trace=bind,{calls}"), "-e", &format!("inject={fault}")];
        let name = fault.replace(|letter: char| !letter.is_alphanumeric(), "-");
        let hello = Traced::start(&name, &options, &["--quiet", "--backend", backend]);
        let mut answered = 0;
        for _ in 0..4 {
            let mut client = plain_client(hello.address);
            client.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            for _ in 0..2 {
                let mut answer = [0; 12];
                let heard = client.write_all(b"?").and_then(|()| client.read_exact(&mut answer));
                answered += usize::from(heard.is_ok_and(|()| &answer == b"Hello world\n"));
            }
        }
        (answered, hello.stop())
    }

    #[test]
    fn interrupted_calls_are_made_again() {
        if !can_trace() {
            return;
        }
        for call in ["recvfrom", "sendto", "accept4"] {
            let (answered, log) = ask_under(&format!("{call}:error=EINTR:when=1+3"), "epoll");
            assert!(log.contains("EINTR"), "{log}");
            assert_eq!(answered, 8, "{call}: {log}");
        }
        for (backend, calls) in [
            ("epoll", "epoll_wait,epoll_pwait,epoll_pwait2"),
            ("native", "epoll_wait,epoll_pwait,epoll_pwait2"),
            ("poll", "poll,ppoll"),
            ("select", "select,pselect6"),
        ] {
            let (answered, log) = ask_under(&format!("{calls}:error=EINTR:when=2+2"), backend);
            assert!(log.contains("EINTR"), "{log}");
            assert_eq!(answered, 8, "{backend}: {log}");
        }
    }

    #[test]
    fn a_call_that_would_block_after_all_is_waited_for() {
        if !can_trace() {
            return;
        }
        // A backend that reports levels says again what is true still.
        for call in ["recvfrom", "sendto", "accept4"] {
            let (answered, log) = ask_under(&format!("{call}:error=EAGAIN:when=1+3"), "poll");
            assert!(log.contains("EAGAIN"), "{log}");
            assert_eq!(answered, 8, "{call}: {log}");
        }
    }

    #[test]
    fn without_buffers_or_descriptors_the_next_is_served() {
        if !can_trace() {
            return;
        }
        for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED"] {
            let (answered, log) = ask_under(&format!("accept4:error={error}:when=1..2"), "epoll");
            assert!(log.contains(error), "{log}");
            assert_eq!(answered, 8, "{error}: {log}");
        }
        // What fails after the accept costs that connection, and no other.
        for call in ["recvfrom", "sendto"] {
            for error in ["ENOBUFS", "ENOMEM", "ECONNRESET", "ETIMEDOUT"] {
                let fault = format!("{call}:error={error}:when=1");
                let (answered, log) = ask_under(&fault, "epoll");
                assert!(log.contains(error), "{log}");
                assert_eq!(answered, 6, "{fault}: {log}");
            }
        }
    }

    #[test]
    fn peers_that_vanish_or_misbehave_at_once_leave_the_others_served() {
        let echo = Serving::start(ECHO, &["--quiet"]);
        let address = echo.address;
        let start = Arc::new(Barrier::new(33));
        let bad: Vec<_> = (0..32)
            .map(|number| {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    start.wait();
                    for _ in 0..50 {
                        let mut client = plain_client(address);
                        let _ = client.write(&[7; 10_000]);
                        match number % 4 {
                            0 => reset(client),
                            1 => client.shutdown(Shutdown::Both).unwrap_or_default(),
                            2 => drop(socket2::SockRef::from(&client).send_out_of_band(b"!")),
                            _ => drop(client.read(&mut [0; 100])),
                        }
                    }
                })
            })
            .collect();
        start.wait();
        let mut well = plain_client(address);
        for _ in 0..200 {
            well.write_all(b"well").unwrap();
            let mut heard = [0; 4];
            well.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"well");
        }
        for thread in bad {
            thread.join().unwrap();
        }
        drop(well);
        assert_eq!(echo.stop().errors, "");
    }
}
