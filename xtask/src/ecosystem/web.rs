//! hyper and axum.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::Command;

use super::process::said;
use super::{end, program, same};
use crate::client::Client;
use crate::report::{Failure, Report};
use crate::server::Server;
use crate::tool::Tool;

/// Requests of a load.
const REQUESTS: usize = 2000;

pub(super) fn run(report: &mut Report, programs: &[PathBuf]) {
    let server = report.value("axum_hyper starts", || {
        let mut command = program(programs, "axum_hyper")?;
        command.arg("127.0.0.1:0");
        Server::start(command)
    });
    let Some(server) = server else { return };
    report.step("axum_hyper and a head that does not end", || slow_head(&server));
    for (version, option) in [("1.1", "--http1.1"), ("2", "--http2-prior-knowledge")] {
        let name = format!("axum_hyper and curl, HTTP/{version}");
        if report.has(Tool::Curl, &name) {
            report.step(&name, || curl(&server, version, option));
        }
        let name = format!("axum_hyper and h2load, HTTP/{version}");
        if report.has(Tool::H2load, &name) {
            report.step(&name, || h2load(&server, version));
        }
    }
    end(report, "axum_hyper", server);
}

/// The server's timer ends the connection.
fn slow_head(server: &Server) -> Result<(), Failure> {
    let mut slow = Client::connect(server.address())?;
    slow.send(b"GET / HT")?;
    match slow.receive(1) {
        Ok(byte) => Err(format!("answered {byte:?}").into()),
        Err(end) => match end.downcast_ref().map(io::Error::kind) {
            Some(ErrorKind::UnexpectedEof) => Ok(()),
            _ => Err(end),
        },
    }
}

/// What is answered to requests of several kinds, and on a connection that is kept.
fn curl(server: &Server, version: &str, option: &str) -> Result<(), Failure> {
    let ask = |paths: &[&str], arguments: &[&str], input: &str| {
        let mut command = Command::new("curl");
        command.args(["-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30"]);
        let written = "%{http_version} %{response_code}, connections: %{num_connects}\n";
        command.args([option, "--write-out", written]).args(arguments);
        command.args(paths.iter().map(|path| format!("http://{}{path}", server.address())));
        said(command, input)
    };
    let line = |code: u32| format!("{version} {code}, connections: 1\n");
    let again = |code: u32| format!("{version} {code}, connections: 0\n");
    if version == "1.1" {
        let expected = format!("Hello world\n{}Hello you\n{}", line(200), again(200));
        same(&expected, &ask(&["/", "/hello/you"], &[], "")?)?;
    }
    // curl 7.88 cannot go on with a connection of HTTP/2 (curl/curl#10643); h2load can.
    same(&format!("Hello you\n{}", line(200)), &ask(&["/hello/you"], &[], "")?)?;
    same(&line(404), &ask(&["/nothing"], &[], "")?)?;

    // More than either side takes in at once.
    let body: String = (0..100_000).map(|number| format!("{number} ")).collect();
    let reversed: String = body.chars().rev().collect();
    let post = ["--data-binary", "@-", "--header", "Expect:"];
    same(&(reversed + &line(200)), &ask(&["/reversed"], &post, &body)?)?;

    let refused = ask(&["/reversed"], &post, &"x".repeat((1 << 20) + 1))?;
    if refused.ends_with(&line(413)) { Ok(()) } else { Err(refused.into()) }
}

/// Every request of a load succeeds.
fn h2load(server: &Server, version: &str) -> Result<(), Failure> {
    let mut command = Command::new("h2load");
    command.args(["-n", &REQUESTS.to_string(), "-c", "10", "-m", "10"]);
    if version == "1.1" {
        command.arg("--h1");
    }
    command.arg(format!("http://{}/", server.address()));
    let said = said(command, "")?;
    let succeeded = format!("{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout");
    let codes = format!("status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx");
    let bytes = format!("({}) data", REQUESTS * "Hello world\n".len());
    let all = [succeeded, codes, bytes].iter().all(|expected| said.contains(expected.as_str()));
    if all { Ok(()) } else { Err(said.into()) }
}
