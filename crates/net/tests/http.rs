//! HTTP over sockets: what clients see of answers, deadlines and ends.
#![cfg(all(unix, feature = "programs"))]

mod socket_util;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use net::programs::http::{self, LINGER_BYTES, MAX_BODY, Service};
use net::{Server, TcpStream};
use socket_util::{any_port, on_every_backend, plain_client, read_exactly, read_to_end, reset};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Bytes of an answer that names no connection option.
const ANSWER: usize = 114;

/// Runs `body` beside a server, on every backend; the server ends with it.
fn beside<F>(service: Service, body: impl Fn(SocketAddr) -> F + Copy + 'static)
where
    F: Future<Output = ()> + 'static,
{
    on_every_backend(|| async move {
        let server = Server::bind(any_port()).unwrap();
        let address = server.local_addr().unwrap();
        let serving = server.serve(move |stream, peer| service.serve(stream, peer));
        let ended = async { panic!("the server ends: {:?}", serving.await) };
        futures_lite::future::or(body(address), ended).await;
    });
}

/// Runs `body` with a connection to a server.
fn connected<F>(body: impl Fn(TcpStream) -> F + Copy + 'static)
where
    F: Future<Output = ()> + 'static,
{
    beside(Service::default(), move |address| async move {
        body(TcpStream::connect(address).await.unwrap()).await;
    });
}

/// Whether it is the greeting, with a date.
fn is_greeting(answer: &[u8]) -> bool {
    let answer = str::from_utf8(answer).unwrap();
    let date = answer.lines().find_map(|line| line.strip_prefix("Date: "));
    answer.starts_with("HTTP/1.1 200 OK\r\n")
        && answer.ends_with("\r\n\r\nHello world\n")
        && date.is_some_and(|date| date.len() == 29 && date.ends_with(" GMT"))
}

async fn ask(stream: &mut TcpStream) {
    stream.write_all(GET).await.unwrap();
    let answer = read_exactly(stream, ANSWER).await;
    assert!(is_greeting(&answer), "{:?}", String::from_utf8_lossy(&answer));
}

/// Has little patience with slow requests.
fn hasty() -> Service {
    Service::default().request_time(Duration::from_millis(30))
}

/// What a blocking client of its own thread gets for `bytes`, all sent before it reads.
async fn told(address: SocketAddr, bytes: Vec<u8>) -> String {
    let (done, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut client = plain_client(address);
        // It may be told the end before it has sent all.
        let sent = client.write_all(&bytes);
        let mut answer = String::new();
        let read = client.read_to_string(&mut answer);
        let _ = done.send(sent.and(read).map(|_| answer));
    });
    loop {
        match told.try_recv() {
            Ok(answer) => return answer.unwrap(),
            Err(std::sync::mpsc::TryRecvError::Empty) => {
                net::sleep(Duration::from_millis(1)).await;
            }
            Err(gone) => panic!("{gone}"),
        }
    }
}

#[test]
fn a_kept_connection_is_answered_again_and_again() {
    connected(|mut stream| async move {
        for _ in 0..10 {
            ask(&mut stream).await;
        }
        stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let head = read_exactly(&mut stream, ANSWER - 12).await;
        assert!(head.ends_with(b"\r\nContent-Length: 12\r\n\r\n"));
        ask(&mut stream).await;
    });
}

#[test]
fn the_date_is_that_of_today() {
    connected(|mut stream| async move {
        let before = net::time_of_day();
        stream.write_all(GET).await.unwrap();
        let answer = String::from_utf8(read_exactly(&mut stream, ANSWER).await).unwrap();
        let date = answer.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
        let date = httpdate::parse_http_date(date).unwrap();
        let second = Duration::from_secs(1);
        assert!(before - second <= date && date <= net::time_of_day(), "{date:?}");
    });
}

#[test]
fn requests_in_one_piece_and_in_many_are_answered() {
    connected(|mut stream| async move {
        stream.write_all(&GET.repeat(500)).await.unwrap();
        for _ in 0..500 {
            assert!(is_greeting(&read_exactly(&mut stream, ANSWER).await));
        }
        for byte in GET {
            stream.write_all(&[*byte]).await.unwrap();
            net::yield_now().await;
        }
        assert!(is_greeting(&read_exactly(&mut stream, ANSWER).await));
    });
}

#[test]
fn bodies_larger_than_a_buffer_are_taken() {
    connected(|mut stream| async move {
        let length = 300_000;
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; length]).await.unwrap();
        assert!(is_greeting(&read_exactly(&mut stream, ANSWER).await));
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = format!("{:x}\r\n{}\r\n", 30_000, "x".repeat(30_000));
        for _ in 0..10 {
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        assert!(is_greeting(&read_exactly(&mut stream, ANSWER).await));
    });
}

#[test]
fn who_waits_before_the_body_is_told_to_go_on() {
    connected(|mut stream| async move {
        let head =
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(read_exactly(&mut stream, 25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"x").await.unwrap();
        assert!(is_greeting(&read_exactly(&mut stream, ANSWER).await));
    });
}

#[test]
fn the_end_is_seen_after_the_last_answer() {
    beside(Service::default(), |address| async move {
        for request in
            ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            assert!(is_greeting(&read_to_end(&mut stream).await));
        }
        // A client that has no more to say is still answered.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GET).await.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(is_greeting(&read_to_end(&mut stream).await));
    });
}

#[test]
fn a_client_that_goes_on_sending_reads_why_it_is_refused() {
    beside(Service::default(), |address| async move {
        for (start, status) in [
            (b"nonsense\r\n\r\n".to_vec(), 400),
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000)).into_bytes(), 414),
            (format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(9_000)).into_bytes(), 431),
            (
                format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", MAX_BODY + 1)
                    .into(),
                413,
            ),
            ([GET, b"GET / HTTP/2.0\r\n\r\n"].concat(), 505),
        ] {
            let bytes = [start, vec![b'x'; LINGER_BYTES / 2]].concat();
            let answer = told(address, bytes).await;
            let last = answer.rsplit("HTTP/1.1 ").next().unwrap();
            assert!(last.starts_with(&status.to_string()), "{status}: {answer}");
        }
    });
}

#[test]
fn a_client_that_never_ends_is_cut_off() {
    connected(|mut stream| async move {
        stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
        assert!(read_to_end(&mut stream).await.starts_with(b"HTTP/1.1 400 "));
        let bytes = vec![b'x'; 65_536];
        while stream.write_all(&bytes).await.is_ok() {}
        assert_eq!(net::stats().failures, 0);
    });
}

#[test]
fn a_request_must_be_whole_in_time_and_an_idle_connection_may_wait() {
    beside(hasty(), |address| async move {
        let mut idle = TcpStream::connect(address).await.unwrap();
        ask(&mut idle).await;
        for begun in
            ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"]
        {
            let mut slow = TcpStream::connect(address).await.unwrap();
            ask(&mut slow).await;
            slow.write_all(begun.as_bytes()).await.unwrap();
            let answer = String::from_utf8(read_to_end(&mut slow).await).unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        }
        ask(&mut idle).await;
    });
}

#[test]
fn a_byte_now_and_then_does_not_put_off_the_deadline() {
    beside(hasty(), |address| async move {
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().split();
        let drip = net::spawn(async move {
            writer.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
            while writer.write_all(b"y").await.is_ok() {
                net::sleep(Duration::from_millis(5)).await;
            }
        });
        let answer = reader.chunk().await.unwrap().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 408 "));
        drop(drip);
        assert!(reader.chunk().await.unwrap().is_none());
    });
}

#[test]
fn answers_wait_for_a_client_that_does_not_read() {
    connected(|mut stream| async move {
        let requests = GET.repeat(1_000);
        let mut sent = 0;
        let stalled = Duration::from_millis(50);
        while let Ok(written) =
            net::timeout(stalled, stream.write(&requests[sent % GET.len()..])).await
        {
            sent += written.unwrap();
            assert!(sent < 64 << 20, "nobody reads, and yet there is always room");
        }
        stream.shutdown(Shutdown::Write).unwrap();
        let answers = read_to_end(&mut stream).await;
        assert_eq!(answers.len() / ANSWER, sent / GET.len());
        assert!(answers.chunks(ANSWER).all(is_greeting));
    });
}

#[test]
fn a_client_that_breaks_off_harms_nobody() {
    beside(Service::default(), |address| async move {
        let mut other = TcpStream::connect(address).await.unwrap();
        for begun in
            ["", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", "?\r\n"]
        {
            let mut rude = plain_client(address);
            rude.write_all(begun.as_bytes()).unwrap();
            ask(&mut other).await;
            reset(rude);
            ask(&mut other).await;
        }
    });
}

#[test]
fn the_module_serves_as_the_service_does() {
    on_every_backend(|| async {
        let server = Server::bind(any_port()).unwrap();
        let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
        let serving = net::spawn(server.serve(http::serve));
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream).await;
        stopper.stop();
        ask(&mut stream).await;
        drop(stream);
        let served = serving.await.unwrap().unwrap();
        assert_eq!((served.accepted, served.cancelled), (1, 0));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn hello_speaks_http_where_it_is_asked_to() {
    use socket_util::program::{ECHO, HELLO, Serving, run};

    for backend in net::Backend::available() {
        let hello = Serving::start(HELLO, &["--http", "--backend", &backend.to_string()]);
        let mut client = plain_client(hello.address);
        for _ in 0..2 {
            client.write_all(GET).unwrap();
            let mut answer = [0; ANSWER];
            client.read_exact(&mut answer).unwrap();
            assert!(is_greeting(&answer));
        }
        drop(client);
        assert_eq!(hello.stop().errors, "");
    }
    assert_eq!(run(ECHO, &["--http"]).status.code(), Some(2));
}

/// The server in a simulation, where an hour takes no time.
#[cfg(feature = "sim")]
mod simulated {
    use net::programs::http::REQUEST_TIME;
    use net::sim::{Fault, Sim};

    use super::*;

    fn with_server(sim: Sim) -> (Sim, SocketAddr) {
        let mut sim = sim;
        sim.service("server", async || {
            let server = Server::bind("0.0.0.0:80".parse().unwrap())?;
            server.serve(http::serve).await.map(drop)
        });
        let address = (sim.address("server"), 80).into();
        (sim, address)
    }

    #[test]
    fn every_request_is_answered_through_faults_that_lose_nothing() {
        for seed in 0..20 {
            let faulty = |sim: Sim, fault| sim.rate(fault, 0.1);
            let sim = Fault::HARMLESS.into_iter().fold(Sim::new(seed), faulty);
            let (mut sim, address) = with_server(sim);
            for number in 1..5 {
                sim.host(&format!("client {number}"), async move || {
                    let (mut reader, mut writer) = TcpStream::connect(address).await?.split();
                    let sent = net::spawn(async move {
                        writer.write_all(&GET.repeat(number * 50)).await?;
                        writer.shutdown()
                    });
                    let mut answers = Vec::new();
                    while let Some(chunk) = reader.chunk().await? {
                        answers.extend_from_slice(&chunk);
                    }
                    assert_eq!(answers.len(), number * 50 * ANSWER);
                    assert!(answers.chunks(ANSWER).all(is_greeting));
                    sent.await.unwrap()
                });
            }
            sim.run().unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        }
    }

    #[test]
    fn half_a_request_is_given_up_and_a_silent_connection_is_not() {
        let (mut sim, address) = with_server(Sim::new(1));
        sim.host("slow", async move || {
            let mut stream = TcpStream::connect(address).await?;
            let start = net::now();
            stream.write_all(b"GET / HTTP/1.1\r\n").await?;
            let answer = read_to_end(&mut stream).await;
            assert!(answer.starts_with(b"HTTP/1.1 408 "));
            let taken = net::now() - start;
            assert!(taken >= REQUEST_TIME && taken < REQUEST_TIME * 2, "{taken:?}");
            Ok(())
        });
        sim.host("silent", async move || {
            let mut stream = TcpStream::connect(address).await?;
            net::sleep(Duration::from_secs(3600)).await;
            stream.write_all(GET).await?;
            let answer = String::from_utf8(read_exactly(&mut stream, ANSWER).await).unwrap();
            assert!(answer.contains("\r\nDate: Thu, 01 Jan 1970 01:00:00 GMT\r\n"), "{answer}");
            Ok(())
        });
        sim.run().unwrap();
    }
}
