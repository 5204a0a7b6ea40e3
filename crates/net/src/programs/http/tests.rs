//! Connections without sockets: every answer, however the requests are cut.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::answer::{Answers, LONGEST, Persistence, Reply, Status};
use super::connection::{Connection, Next};
use super::{MAX_BODY, MAX_HEAD, MAX_HEADERS};

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const TIME: Duration = Duration::from_secs(30);
const ROOM: usize = 4096;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a connection came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    answers: String,
    is_closed: bool,
    /// Whether a request has begun and is not whole.
    is_waiting: bool,
}

impl Outcome {
    fn statuses(&self) -> Vec<u16> {
        let lines = self.answers.split("HTTP/1.1 ").skip(1);
        lines.map(|line| line[..3].parse().unwrap()).collect()
    }
}

/// Feeds the pieces to a connection, with so much room for answers at a time.
fn fed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, room: usize) -> Outcome {
    let now = Instant::now();
    let mut connection = Connection::new(TIME);
    let mut answers = Vec::new();
    for mut bytes in pieces {
        loop {
            let (next, written) = advance(&mut connection, now, &mut bytes, room);
            answers.extend(written);
            match next {
                Next::Write => assert!(!bytes.is_empty(), "there is nothing left to answer"),
                Next::Read => {
                    assert!(bytes.is_empty(), "bytes were left behind");
                    break;
                }
                Next::Close | Next::Linger => {
                    let answers = String::from_utf8(answers).unwrap();
                    return Outcome { answers, is_closed: true, is_waiting: false };
                }
            }
        }
    }
    let answers = String::from_utf8(answers).unwrap();
    Outcome { answers, is_closed: false, is_waiting: connection.deadline().is_some() }
}

fn advance(
    connection: &mut Connection,
    now: Instant,
    bytes: &mut &[u8],
    room: usize,
) -> (Next, Vec<u8>) {
    let mut room = vec![0; room];
    let mut answers = Answers::new(&mut room, *DATE);
    let next = connection.advance(now, bytes, &mut answers);
    let length = answers.length();
    room.truncate(length);
    (next, room)
}

fn whole(request: &str) -> Outcome {
    fed([request.as_bytes()], ROOM)
}

/// The status of a request that ends the connection.
fn refused(request: &str) -> u16 {
    let outcome = whole(request);
    assert!(outcome.is_closed, "{request:?} leaves the connection open");
    assert!(outcome.answers.ends_with("\r\n\r\n"), "{request:?}: a body");
    assert!(outcome.answers.contains("\r\nConnection: close\r\n"), "{request:?}");
    let statuses = outcome.statuses();
    assert_eq!(statuses.len(), 1, "{request:?}: {}", outcome.answers);
    statuses[0]
}

/// The statuses of requests after which the connection is still there for others.
fn kept(request: &str) -> Vec<u16> {
    let outcome = whole(request);
    assert!(!outcome.is_closed, "{request:?} ends the connection: {}", outcome.answers);
    assert!(!outcome.is_waiting, "{request:?} is not whole");
    outcome.statuses()
}

/// A request of HTTP/1.1 with a head line or several, which end without `\r\n`.
fn with(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
}

/// A request with a body in chunks.
fn chunked(body: &str) -> String {
    with("Transfer-Encoding: chunked") + body
}

#[test]
fn the_answer_is_the_greeting() {
    let outcome = whole(GET);
    let answer = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                  Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n";
    assert_eq!(outcome.answers, answer);
    assert!(!outcome.is_closed && !outcome.is_waiting);
}

#[test]
fn head_is_answered_as_get_without_the_greeting() {
    let get = whole(GET).answers;
    let head = whole(&GET.replace("GET", "HEAD")).answers;
    assert_eq!(head + "Hello world\n", get);
}

#[test]
fn requests_behind_each_other_are_answered_in_order() {
    let post = with("Content-Length: 3") + "abc";
    let requests = format!("{GET}{}{post}{GET}", GET.replace("GET", "DELETE"));
    assert_eq!(kept(&requests), [200, 405, 200, 200]);
}

#[test]
fn answers_that_do_not_fit_come_with_the_next_write() {
    let requests = GET.repeat(100);
    let outcome = whole(&requests);
    assert_eq!(outcome.statuses(), [200; 100]);
    assert_eq!(fed([requests.as_bytes()], LONGEST), outcome);
}

#[test]
fn a_connection_is_kept_as_its_version_has_it() {
    for (version, field, is_kept, told) in [
        ("1.1", "X: y", true, None),
        ("1.1", "Connection: close", false, Some("close")),
        ("1.1", "Connection: CLOSE", false, Some("close")),
        ("1.1", "Connection: upgrade,close", false, Some("close")),
        ("1.1", "Connection: keep-alive\r\nConnection: close", false, Some("close")),
        ("1.1", "Connection: closed", true, None),
        ("1.0", "X: y", false, Some("close")),
        ("1.0", "Connection: Keep-Alive", true, Some("keep-alive")),
        ("1.0", "Connection: keep-alive, close", false, Some("close")),
    ] {
        let outcome = whole(&format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n\r\n"));
        assert_eq!(outcome.is_closed, !is_kept, "{version} {field}");
        assert_eq!(outcome.statuses(), [200]);
        let line = outcome.answers.lines().find_map(|line| line.strip_prefix("Connection: "));
        assert_eq!(line, told, "{version} {field}");
    }
}

#[test]
fn nothing_is_answered_behind_the_last_request() {
    let outcome = whole(&(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + GET));
    assert_eq!(outcome.statuses(), [200]);
    assert!(outcome.is_closed);
}

#[test]
fn a_client_that_is_still_sending_is_not_cut_off() {
    let last = GET.replace("1.1", "1.0");
    let end = |request: &str| {
        let mut bytes = request.as_bytes();
        advance(&mut Connection::new(TIME), Instant::now(), &mut bytes, ROOM).0
    };
    assert_eq!(end(&last), Next::Close);
    assert_eq!(end(&(last + "\r\n")), Next::Linger);
    assert_eq!(end("what?\r\n\r\n"), Next::Linger);
}

#[test]
fn methods_are_answered_as_they_are_known() {
    let answer = |method: &str| kept(&GET.replace("GET", method));
    for method in ["GET", "HEAD", "POST"] {
        assert_eq!(answer(method), [200], "{method}");
    }
    for method in ["DELETE", "PATCH", "PUT", "TRACE"] {
        assert_eq!(answer(method), [405], "{method}");
    }
    for method in ["BREW", "get", "PROPFIND"] {
        assert_eq!(answer(method), [501], "{method}");
    }
    assert_eq!(answer("OPTIONS"), [204]);
    assert_eq!(kept("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), [204]);
    assert_eq!(refused("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), 405);
    for method in ["OPTIONS", "PUT"] {
        let answers = whole(&GET.replace("GET", method)).answers;
        assert!(answers.contains("\r\nAllow: GET, HEAD, OPTIONS, POST\r\n"), "{answers}");
    }
}

#[test]
fn an_answer_without_content_has_no_length() {
    let answers = whole(&GET.replace("GET", "OPTIONS")).answers;
    assert!(!answers.contains("Content-Length"), "{answers}");
}

#[test]
fn targets_have_one_of_the_forms_of_the_protocol() {
    let answer = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    for target in ["/", "/favicon.ico", "/a?b=c&d", "http://a/b", "/%20", "//"] {
        assert_eq!(kept(&answer(target)), [200], "{target}");
    }
    for target in ["a", "*", "a:80"] {
        assert_eq!(refused(&answer(target)), 400, "{target}");
    }
}

#[test]
fn what_cannot_be_parsed_is_refused() {
    for request in [
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / FTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G\u{e4}T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : space\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    ] {
        assert_eq!(refused(request), 400, "{request:?}");
    }
}

#[test]
fn other_versions_are_told_so() {
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3", "HTTP/11"] {
        assert_eq!(refused(&format!("GET / {version}\r\nHost: a\r\n\r\n")), 505, "{version}");
    }
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    assert_eq!(refused("GET / HTTP/x\r\nHost: a\r\n\r\n"), 400);
}

#[test]
fn one_host_is_named() {
    let request = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}X: y\r\n\r\n");
    for fields in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: u@a\r\n"]
    {
        assert_eq!(refused(&request(fields)), 400, "{fields:?}");
    }
    for fields in ["Host:\r\n", "host: a.b-c:80\r\n", "HOST: [::1]:5001\r\n", "Host: %61\r\n"] {
        assert_eq!(kept(&request(fields)), [200], "{fields:?}");
    }
    assert_eq!(whole("GET / HTTP/1.0\r\n\r\n").statuses(), [200]);
}

#[test]
fn bodies_by_length_are_skipped() {
    for (field, body) in [
        ("Content-Length: 0", ""),
        ("Content-Length: 5", "GET /"),
        ("content-length: 0005", "GET /"),
        ("Content-Length: 5\r\nContent-Length: 5", "GET /"),
        ("Content-Length: 5, 5", "GET /"),
    ] {
        assert_eq!(kept(&(with(field) + body + GET)), [200, 200], "{field}");
    }
    let most = "x".repeat(MAX_BODY as usize);
    assert_eq!(kept(&(with(&format!("Content-Length: {MAX_BODY}")) + &most + GET)), [200, 200]);
}

#[test]
fn lengths_that_are_none_are_refused() {
    for value in ["", "-1", "+1", "1x", "0x1", "1 1", "1, 2", "1,", "\u{661}"] {
        assert_eq!(refused(&with(&format!("Content-Length: {value}"))), 400, "{value:?}");
    }
    assert_eq!(refused(&with("Content-Length: 1\r\nContent-Length: 2")), 400);
    assert_eq!(refused(&with("Content-Length: 1\r\nTransfer-Encoding: chunked")), 400);
    assert_eq!(refused(&with("Transfer-Encoding: chunked\r\nContent-Length: 1")), 400);
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    for length in [MAX_BODY + 1, u64::MAX] {
        assert_eq!(refused(&with(&format!("Content-Length: {length}"))), 413);
    }
    assert_eq!(refused(&with(&format!("Content-Length: {}0", u64::MAX))), 413);
    let size = MAX_BODY + 1;
    for body in [format!("{size:x}\r\n"), "fffffffffffffffff\r\n".into(), "1\r\n".repeat(1 << 19)] {
        let refused = refused(&chunked(&body));
        assert!(matches!(refused, 413 | 400), "{refused}");
    }
    assert_eq!(refused(&chunked(&"1\r\nx\r\n".repeat(MAX_BODY as usize / 6 + 1))), 413);
    assert_eq!(refused(&chunked(&format!("0\r\n{}", "X: y\r\n".repeat(1 << 18)))), 413);
    assert_eq!(refused(&chunked(&format!("0;{}", "x".repeat(1 << 20)))), 413);
}

#[test]
fn bodies_in_chunks_are_skipped() {
    for body in [
        "0\r\n\r\n",
        "5\r\nGET /\r\n0\r\n\r\n",
        "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        "000001\r\nx\r\n00\r\n\r\n",
        "1;name=value;other=\"quo;ted\"\r\nx\r\n0;end\r\n\r\n",
        "1 \t;name\r\nx\r\n0\r\n\r\n",
        "1\r\n\r\r\n0\r\n\r\n",
        "2\r\n\r\n\r\n0\r\nTrailer: a\r\nOther:\tb\r\n\r\n",
    ] {
        assert_eq!(kept(&(chunked(body) + GET)), [200, 200], "{body:?}");
    }
}

#[test]
fn chunks_that_could_be_read_in_two_ways_are_refused() {
    for body in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "1\nx\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "1 2\r\nx\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "1;a\rb\r\nx\r\n0\r\n\r\n",
        "1;\0\r\nx\r\n0\r\n\r\n",
        "0\r\nTrailer: a\nb\r\n\r\n",
        "0\r\nTrailer: a\rb\r\n\r\n",
        "0\r\n\n",
        "0\r\n\r\r",
    ] {
        assert_eq!(refused(&chunked(body)), 400, "{body:?}");
    }
}

#[test]
fn transfer_codings_other_than_chunked_are_refused() {
    for (value, status) in [
        ("gzip, chunked", 501),
        ("gzip", 400),
        ("identity", 400),
        ("", 400),
        ("chunked, gzip", 400),
        ("chunked, chunked", 400),
        ("chunked\r\nTransfer-Encoding: chunked", 400),
        ("chunked;a=b", 400),
        ("chunked,", 400),
        ("xchunked", 400),
    ] {
        assert_eq!(refused(&with(&format!("Transfer-Encoding: {value}"))), status, "{value:?}");
    }
    assert_eq!(kept(&(with("transfer-encoding: CHUNKED") + "0\r\n\r\n")), [200]);
    let old = chunked("0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(refused(&old), 400);
}

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let request = with("Expect: 100-Continue\r\nContent-Length: 2");
    let mut connection = Connection::new(TIME);
    let now = Instant::now();
    let head = advance(&mut connection, now, &mut request.as_bytes(), ROOM);
    assert_eq!(head, (Next::Read, b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()));
    let (next, answer) = advance(&mut connection, now, &mut &b"ab"[..], ROOM);
    assert_eq!(next, Next::Read);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn nobody_is_told_to_go_on_with_what_is_not_wanted() {
    let expecting = |fields: &str| with(&format!("Expect: 100-continue\r\n{fields}"));
    assert_eq!(kept(&expecting("Content-Length: 0")), [200]);
    assert_eq!(kept(&expecting("X: y")), [200]);
    assert_eq!(refused(&expecting("Content-Length: 9999999")), 413);
    let put = expecting("Content-Length: 2").replace("POST", "PUT");
    assert_eq!(refused(&put), 405);
    let old = expecting("Content-Length: 2").replace("HTTP/1.1", "HTTP/1.0") + "ab";
    assert_eq!(whole(&old).statuses(), [200]);
    assert_eq!(refused(&with("Expect: the-unexpected\r\nContent-Length: 2")), 417);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let of = |length: usize| {
        let head =
            |field: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {:y<field$}\r\n\r\n", "");
        head(length - head(0).len())
    };
    assert_eq!(kept(&of(MAX_HEAD)), [200]);
    assert_eq!(refused(&of(MAX_HEAD + 1)), 431);
    let target = "a".repeat(MAX_HEAD);
    assert_eq!(refused(&format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n")), 414);
    let fields =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert_eq!(kept(&fields(MAX_HEADERS - 1)), [200]);
    assert_eq!(refused(&fields(MAX_HEADERS)), 431);
}

#[test]
fn what_a_browser_sends_is_answered() {
    let request = |target: &str, accept: &str, fetch: &str| {
        format!(
            "GET {target} HTTP/1.1\r\n\
             Host: 127.0.0.1:5001\r\n\
             Connection: keep-alive\r\n\
             sec-ch-ua: \"Chromium\";v=\"128\", \"Not;A=Brand\";v=\"24\"\r\n\
             sec-ch-ua-mobile: ?0\r\n\
             sec-ch-ua-platform: \"Linux\"\r\n\
             Upgrade-Insecure-Requests: 1\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/128.0.0.0 Safari/537.36\r\n\
             Accept: {accept}\r\n\
             Sec-Fetch-Site: none\r\n\
             Sec-Fetch-Mode: navigate\r\n\
             Sec-Fetch-User: ?1\r\n\
             Sec-Fetch-Dest: {fetch}\r\n\
             Accept-Encoding: gzip, deflate, br, zstd\r\n\
             Accept-Language: en-GB,en;q=0.9\r\n\
             If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Cookie: theme=dark; session=\"a b\"\r\n\r\n"
        )
    };
    let page = request("/", "text/html,application/xhtml+xml,*/*;q=0.8", "document");
    let icon = request("/favicon.ico", "image/avif,image/webp,*/*;q=0.8", "image");
    assert_eq!(kept(&(page + &icon)), [200, 200]);
}

#[test]
fn every_answer_fits_the_room_that_is_kept_for_one() {
    let mut room = [0; ROOM];
    for status in [
        Status::Hello,
        Status::Options,
        Status::BadRequest,
        Status::MethodNotAllowed,
        Status::RequestTimeout,
        Status::ContentTooLarge,
        Status::TargetTooLong,
        Status::ExpectationFailed,
        Status::HeadTooLarge,
        Status::MethodNotImplemented,
        Status::CodingNotImplemented,
        Status::VersionNotSupported,
    ] {
        for persistence in [Persistence::Kept, Persistence::KeptAsAsked, Persistence::Close] {
            let mut answers = Answers::new(&mut room, *DATE);
            answers.push(Reply { status, without_body: false, persistence });
            assert!(answers.length() <= LONGEST, "{status:?}: {} bytes", answers.length());
        }
    }
}

#[test]
fn a_request_has_a_deadline_from_its_first_byte_to_its_last() {
    let mut connection = Connection::new(TIME);
    let start = Instant::now();
    let mut feed = |seconds: u64, text: &str| {
        let now = start + Duration::from_secs(seconds);
        let next = advance(&mut connection, now, &mut text.as_bytes(), ROOM).0;
        assert_eq!(next, Next::Read);
        connection.deadline().map(|deadline| (deadline - start).as_secs())
    };
    assert_eq!(feed(0, GET), None);
    assert_eq!(feed(1, "\r\n"), None, "a blank line is no request");
    assert_eq!(feed(5, "POST / HTTP/1.1\r\n"), Some(35));
    assert_eq!(feed(10, "Host: a\r\nContent-Length: 2\r\n\r\n"), Some(35));
    assert_eq!(feed(20, "a"), Some(35));
    assert_eq!(feed(25, "bGET /"), Some(55), "the next request has its own");
    assert_eq!(feed(30, " HTTP/1.1\r\nHost: a\r\n\r\n"), None);
}

#[test]
fn a_deadline_that_no_clock_reaches_is_none() {
    let mut connection = Connection::new(Duration::MAX);
    advance(&mut connection, Instant::now(), &mut &b"GET"[..], ROOM);
    assert_eq!(connection.deadline(), None);
}

#[test]
fn a_request_that_takes_too_long_is_told_so() {
    for begun in ["GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na"] {
        let mut connection = Connection::new(TIME);
        let start = Instant::now();
        advance(&mut connection, start, &mut begun.as_bytes(), ROOM);
        let mut at = |time| advance(&mut connection, start + time, &mut &b""[..], ROOM);
        assert_eq!(at(TIME / 2), (Next::Read, Vec::new()));
        let (next, answer) = at(TIME);
        assert_eq!(next, Next::Linger);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[test]
fn an_idle_connection_is_small() {
    let size = size_of::<Connection>();
    println!("{size} bytes");
    assert!(size <= 112, "{size} bytes");
}

#[test]
fn what_came_late_and_still_before_the_server_gave_up_is_answered() {
    let (start, end) = GET.split_at(9);
    let mut connection = Connection::new(TIME);
    let now = Instant::now();
    advance(&mut connection, now, &mut start.as_bytes(), ROOM);
    let (next, answer) = advance(&mut connection, now + TIME, &mut end.as_bytes(), ROOM);
    assert_eq!(next, Next::Read);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

/// Requests good and bad, as they may come on one connection.
fn corpus() -> Vec<String> {
    vec![
        GET.to_owned(),
        GET.replace("GET", "HEAD") + GET,
        format!("\r\n\n\r\n{GET}"),
        GET.replace("\r\n", "\n") + GET,
        GET.replace("1.1", "1.0"),
        GET.replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n").replace("1.1", "1.0") + GET,
        GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + GET,
        with("Content-Length: 10") + "0123456789\r\n" + GET,
        with("Expect: 100-continue\r\nContent-Length: 3") + "abc" + GET,
        chunked("5;a=\"b\"\r\nGET /\r\n1\r\n\r\r\n0\r\nTrailer: a\r\n\r\n") + GET,
        with("Expect: 100-continue\r\nTransfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n" + GET,
        chunked("1\r\nxy") + GET,
        chunked("fffffffffffffffff\r\n"),
        chunked("100001\r\n"),
        with("Content-Length: 1048577"),
        with("Content-Length: 1\r\nContent-Length: 2") + "ab",
        with("Content-Length: 1\r\nTransfer-Encoding: chunked") + "0\r\n\r\n",
        GET.replace("GET", "PUT") + &GET.replace("GET", "BREW") + GET,
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned() + GET,
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/x\r\n\r\n".to_owned(),
        "GET / HTTP/1\r\n\r\n".to_owned(),
        "GET / FTP/1.1\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\0\x01\0\x01".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS)),
        GET.replace("Host", "Ho st") + GET,
        format!("{GET}{GET}GET / HTTP/1.1\r\nHo"),
    ]
}

#[test]
fn where_requests_are_cut_makes_no_difference() {
    for requests in corpus() {
        let bytes = requests.as_bytes();
        let whole = whole(&requests);
        assert!(!whole.answers.is_empty(), "{requests:?}");
        for at in 0..=bytes.len() {
            let (start, end) = bytes.split_at(at);
            assert_eq!(fed([start, end], ROOM), whole, "{requests:?} cut at {at}");
        }
        assert_eq!(fed(bytes.chunks(1), ROOM), whole, "{requests:?} byte by byte");
        assert_eq!(fed(bytes.chunks(1), LONGEST), whole, "{requests:?} with little room");
    }
}

#[test]
fn large_heads_may_be_cut_as_well() {
    let target = "a".repeat(MAX_HEAD);
    let fields = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {target}\r\n\r\n");
    let most = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &target[..MAX_HEAD - 27]);
    assert_eq!(most.len(), MAX_HEAD);
    for (request, status) in [
        (format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (fields, 431),
        (most + GET, 200),
    ] {
        for size in [1, 100, 4096, MAX_HEAD - 1, MAX_HEAD] {
            let outcome = fed(request.as_bytes().chunks(size), ROOM);
            assert_eq!(outcome.statuses()[0], status, "in pieces of {size}");
            assert_eq!(outcome.is_closed, status != 200);
        }
    }
}

/// A request, and the statuses that answer it.
fn request() -> impl Strategy<Value = (String, Vec<u16>)> {
    let body = prop_oneof![
        Just(None),
        "[ -~]{0,40}".prop_map(|body| Some((format!("Content-Length: {}", body.len()), body))),
        (vec("[ -~\r\n]{1,20}", 0..4), any::<bool>()).prop_map(|(chunks, has_trailer)| {
            let chunk = |data: &String| format!("{:x}\r\n{data}\r\n", data.len());
            let chunks: String = chunks.iter().map(chunk).collect();
            let trailer = if has_trailer { "Checksum: 1\r\n" } else { "" };
            Some(("Transfer-Encoding: chunked".into(), format!("{chunks}0\r\n{trailer}\r\n")))
        }),
    ];
    let method = prop_oneof![
        Just(("GET", 200)),
        Just(("HEAD", 200)),
        Just(("POST", 200)),
        Just(("OPTIONS", 204)),
        Just(("PUT", 405)),
        Just(("BREW", 501)),
    ];
    (method, "/[a-z]{0,9}", "[!-~]([ -~]{0,30}[!-~])?", body).prop_map(
        |((method, status), target, field, body)| {
            let (framing, body) = body.unwrap_or_else(|| ("X: none".into(), String::new()));
            let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nX-Field: {field}\r\n");
            (format!("{head}{framing}\r\n\r\n{body}"), vec![status])
        },
    )
}

/// The pieces between the cuts.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let mut from = 0;
    let next = |to: usize| {
        let piece = &bytes[from..to];
        from = to;
        piece
    };
    cuts.into_iter().map(next).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pipelines_are_answered_one_by_one(
        requests in vec(request(), 1..12),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
        room in LONGEST..ROOM,
    ) {
        let bytes: String = requests.iter().map(|(text, _)| text.as_str()).collect();
        let expected: Vec<u16> = requests.iter().flat_map(|(_, statuses)| statuses.clone()).collect();
        let outcome = fed(pieces(bytes.as_bytes(), &cuts), room);
        prop_assert_eq!(outcome.statuses(), expected);
        prop_assert!(!outcome.is_closed && !outcome.is_waiting);
    }

    #[test]
    fn damaged_requests_are_read_the_same_however_they_are_cut(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        damage in vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' ')], 0..4),
        removed in 0..4_usize,
        cuts in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let corpus = corpus();
        let mut bytes = corpus[which.index(corpus.len())].clone().into_bytes();
        let start = at.index(bytes.len());
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, damage);
        let whole = fed([&bytes[..]], ROOM);
        prop_assert_eq!(&fed(pieces(&bytes, &cuts), ROOM), &whole);
        prop_assert_eq!(&fed(bytes.chunks(1), LONGEST), &whole);
    }
}
