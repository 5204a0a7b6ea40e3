//! curl, which shows each answer.

use std::process::Command;

use super::{Folder, says};
use crate::report::{Failure, output};
use crate::server::Server;

/// After each answer: its status, and how many connections were made for it.
const TOLD: &str = "%{http_code}, %{num_connects} new\n";

/// Two requests on one connection, and on two.
const KEPT: &str = "Hello world\n200, 1 new\nHello world\n200, 0 new\n";
const CLOSED: &str = "Hello world\n200, 1 new\nHello world\n200, 1 new\n";

/// Bytes of bodies: one that is taken, and one that is too large.
const BODY: usize = 300_000;
const LARGE: usize = 3_000_000;

/// Asks with every option that changes what is said on the connection.
pub(super) fn ask(server: &mut Server, folder: &Folder) -> Result<(), Failure> {
    let url = format!("http://{}/", server.address());
    let url = url.as_str();
    let body = format!("@{}", folder.file("body", &"x".repeat(BODY))?);
    let large = format!("@{}", folder.file("large", &"x".repeat(LARGE))?);
    let long = format!("X-Long: {}", "y".repeat(9_000));
    let (chunked, expect) = ("Transfer-Encoding: chunked", "Expect: 100-continue");
    let expected = [
        (&[url, url][..], KEPT),
        (&["--http1.0", url, url], CLOSED),
        (&["--http1.0", "--header", "Connection: keep-alive", url, url], KEPT),
        (&["--header", "Connection: close", url, url], CLOSED),
        (&["--head", url], "Content-Length: 12\r\n\r\n200, 1 new\n"),
        (&["--data-binary", &body, url, url], KEPT),
        (&["--data-binary", &body, "--header", chunked, url, url], KEPT),
        (&["--data-binary", &body, "--header", expect, "--include", url], "100 Continue\r\n"),
        (&["--data-binary", &body, "--header", expect, "--header", chunked, url, url], KEPT),
        (&["--data-binary", &large, url], "413, 1 new\n"),
        (&["--data-binary", &large, "--header", chunked, url], "413, 1 new\n"),
        (&["--data-binary", &large, "--header", "Expect:", url], "413, 1 new\n"),
        (&["--header", &long, url], "431, 1 new\n"),
        (&["--request", "DELETE", url, url], "405, 1 new\n405, 0 new\n"),
        (&["--request", "BREW", url, url], "501, 1 new\n501, 0 new\n"),
        (&["--request", "OPTIONS", "--include", url], "Allow: GET, HEAD, OPTIONS, POST\r\n"),
    ];
    for (arguments, answer) in expected {
        says(&curl(arguments)?, answer).map_err(|failure| format!("{arguments:?}: {failure}"))?;
    }
    Ok(())
}

/// What curl prints, which fails without an answer.
pub(super) fn curl(arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "60"]);
    command.args(["--write-out", TOLD]).args(arguments);
    output(command)
}
