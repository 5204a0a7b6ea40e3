//! Every server answers as those do that it is compared with.

mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use load::{Length, Plan, Scenario, measure};
use server::Server;

/// The server answers hello in each of hello's scenarios, and echo in each of echo's.
fn answers(command: impl Fn() -> Command) {
    use Scenario::*;
    for (service, scenarios) in
        [("hello", &[Hello, Churn, Idle][..]), ("echo", &[Echo, Pipeline, Bulk][..])]
    {
        let mut command = command();
        let server = Server::start(command.arg(service));
        for &scenario in scenarios {
            let (address, length) = (server.address(), Length::Rounds(20));
            let idle = if scenario == Idle { 100 } else { 0 };
            let plan = Plan { scenario, address, connections: 10, idle, pid: None, length };
            let result = measure(&plan).unwrap_or_else(|failure| panic!("{plan:?}: {failure}"));
            let requests = if scenario == Pipeline { 3200 } else { 200 };
            assert_eq!(result["requests"], requests, "{result}");
        }
        if service == "echo" {
            answers_a_slow_reader(&server);
        }
    }
}

/// Bytes come back whole although there is no room for them for a while: they are read in smaller
/// pieces than the server writes, so that more and more of them are on their way, and they are more
/// than the kernel holds for a connection.
fn answers_a_slow_reader(server: &Server) {
    let stream = connect(server);
    let noise: Vec<u8> = (0..SLOW).map(|at| ((at * 31) >> 3) as u8).collect();
    let mut received = vec![0; SLOW];
    thread::scope(|scope| {
        scope.spawn(|| (&stream).write_all(&noise).unwrap());
        for piece in received.chunks_mut(512) {
            (&stream).read_exact(piece).unwrap();
        }
    });
    assert!(received == noise, "other bytes came back");
}

/// In bytes.
const SLOW: usize = 16 << 20;

/// A connection on which a server that is stuck is a failure.
fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

const PATIENCE: Duration = Duration::from_secs(10);

/// HTTP/1.1 with the greeting for each of two requests, the second of which comes in pieces.
fn answers_http(program: &str) {
    let server = Server::start(Command::new(program).arg("http"));
    let mut stream = connect(&server);
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(&[&request[..], &request[..20]].concat()).unwrap();
    let first = http_answer(&mut stream);
    stream.write_all(&request[20..]).unwrap();
    let second = http_answer(&mut stream);
    for answer in [first, second] {
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let head = answer.to_lowercase();
        for line in ["content-type: text/plain\r\n", "content-length: 12\r\n", "\r\ndate: "] {
            assert!(head.contains(line), "{answer}");
        }
    }
}

fn http_answer(stream: &mut TcpStream) -> String {
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\nHello world\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

/// Whether the program can be run; where it cannot, its server is not tested.
fn is_here(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok_and(|run| run.status.success());
    if !found {
        eprintln!("skipped: no {program} {argument}");
    }
    found
}

fn source(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn built(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn raw() {
    answers(|| Command::new(env!("CARGO_BIN_EXE_peer-raw")));
}

#[test]
fn mio() {
    answers(|| Command::new(env!("CARGO_BIN_EXE_peer-mio")));
}

#[test]
fn tokio() {
    answers(|| Command::new(env!("CARGO_BIN_EXE_peer-tokio")));
}

#[test]
fn smol() {
    answers(|| Command::new(env!("CARGO_BIN_EXE_peer-smol")));
}

#[cfg(feature = "monoio")]
#[test]
fn monoio() {
    let program = env!("CARGO_BIN_EXE_peer-monoio");
    if monoio::utils::detect_uring() {
        return answers(|| Command::new(program));
    }
    assert_eq!(Command::new(program).arg("hello").status().unwrap().code(), Some(2));
}

#[test]
fn several_threads() {
    for program in [
        env!("CARGO_BIN_EXE_peer-raw"),
        env!("CARGO_BIN_EXE_peer-mio"),
        env!("CARGO_BIN_EXE_peer-tokio"),
    ] {
        answers(|| {
            let mut command = Command::new(program);
            command.args(["--threads", "3"]);
            command
        });
    }
}

#[test]
fn what_a_server_cannot_do_ends_it_with_2() {
    for (program, arguments) in [
        (env!("CARGO_BIN_EXE_peer-smol"), &["hello", "--threads", "2"][..]),
        (env!("CARGO_BIN_EXE_peer-raw"), &["http"]),
        (env!("CARGO_BIN_EXE_peer-hyper"), &["echo"]),
    ] {
        let run = Command::new(program).args(arguments).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{program}");
        assert!(!run.stderr.is_empty(), "{program} gives no reason");
    }
}

#[test]
fn hyper() {
    answers_http(env!("CARGO_BIN_EXE_peer-hyper"));
}

#[test]
fn canned() {
    answers_http(env!("CARGO_BIN_EXE_peer-canned"));
}

#[test]
fn python() {
    if !is_here("python3", "--version") {
        return;
    }
    for name in ["asyncio_server.py", "note_server.py"] {
        answers(|| {
            let mut command = Command::new("python3");
            command.arg(source(name));
            command
        });
    }
}

#[test]
fn libuv() {
    if !is_here("cc", "--version") || !is_here("pkg-config", "libuv") {
        return;
    }
    let found = Command::new("pkg-config").args(["--cflags", "--libs", "libuv"]).output().unwrap();
    let flags = String::from_utf8(found.stdout).unwrap();
    let (source, built) = (source("libuv_server.c"), built("libuv_server"));
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-Wall", "-Wextra", "-Werror", &source, "-o", &built]);
    assert!(compile.args(flags.split_whitespace()).status().unwrap().success());
    answers(|| Command::new(&built));
}

#[test]
fn go() {
    if !is_here("go", "version") {
        return;
    }
    let (source, built) = (source("go_server.go"), built("go_server"));
    let compile = Command::new("go").args(["build", "-o", &built, &source]).status().unwrap();
    assert!(compile.success());
    answers(|| Command::new(&built));
}
