//! What is answered, as bytes.

use super::date::Date;

/// What the answer to a request depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: Status,
    /// Whether only the head is sent, because that is what was asked for.
    pub(super) without_body: bool,
    pub(super) persistence: Persistence,
}

/// Whether the connection is kept after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    /// As HTTP/1.1 does unless told otherwise.
    Kept,
    /// As a client of HTTP/1.0 asked, which wants to be told.
    KeptAsAsked,
    Close,
}

/// The answers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// 200 with the greeting.
    Hello,
    /// 204 with the methods.
    Options,
    /// 400
    BadRequest,
    /// 405
    MethodNotAllowed,
    /// 408
    RequestTimeout,
    /// 413
    ContentTooLarge,
    /// 414
    TargetTooLong,
    /// 417
    ExpectationFailed,
    /// 431
    HeadTooLarge,
    /// 501 for the method; the connection can be kept.
    MethodNotImplemented,
    /// 501 for a transfer coding, behind which no end of the body is seen.
    CodingNotImplemented,
    /// 505
    VersionNotSupported,
}

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// The greeting, which ends what [`HELLO`] holds.
const GREETING: &str = "Hello world\n";

const HELLO: &str = "\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n";
const NO_CONTENT: &str = "\r\nContent-Length: 0\r\n\r\n";
const METHODS: &str = "\r\nAllow: GET, HEAD, OPTIONS, POST\r\n\r\n";
const METHODS_NO_CONTENT: &str = "\r\nAllow: GET, HEAD, OPTIONS, POST\r\nContent-Length: 0\r\n\r\n";

/// Room for the longest answer, and a 100 before it, in bytes.
pub(super) const LONGEST: usize = 256;

impl Status {
    pub(super) fn is_error(self) -> bool {
        !matches!(self, Status::Hello | Status::Options)
    }

    /// Up to the date.
    fn start(self) -> &'static str {
        match self {
            Status::Hello => "HTTP/1.1 200 OK\r\nDate: ",
            Status::Options => "HTTP/1.1 204 No Content\r\nDate: ",
            Status::BadRequest => "HTTP/1.1 400 Bad Request\r\nDate: ",
            Status::MethodNotAllowed => "HTTP/1.1 405 Method Not Allowed\r\nDate: ",
            Status::RequestTimeout => "HTTP/1.1 408 Request Timeout\r\nDate: ",
            Status::ContentTooLarge => "HTTP/1.1 413 Content Too Large\r\nDate: ",
            Status::TargetTooLong => "HTTP/1.1 414 URI Too Long\r\nDate: ",
            Status::ExpectationFailed => "HTTP/1.1 417 Expectation Failed\r\nDate: ",
            Status::HeadTooLarge => "HTTP/1.1 431 Request Header Fields Too Large\r\nDate: ",
            Status::MethodNotImplemented | Status::CodingNotImplemented => {
                "HTTP/1.1 501 Not Implemented\r\nDate: "
            }
            Status::VersionNotSupported => "HTTP/1.1 505 HTTP Version Not Supported\r\nDate: ",
        }
    }

    /// What comes after the date and the connection's fate. Errors carry no body, so that they are
    /// the same for HEAD, whose name may not have been understood.
    fn end(self) -> &'static str {
        match self {
            Status::Hello => HELLO,
            Status::Options => METHODS,
            Status::MethodNotAllowed => METHODS_NO_CONTENT,
            _ => NO_CONTENT,
        }
    }
}

impl Persistence {
    fn field(self) -> &'static str {
        match self {
            Persistence::Kept => "",
            Persistence::KeptAsAsked => "\r\nConnection: keep-alive",
            Persistence::Close => "\r\nConnection: close",
        }
    }
}

/// Answers, one behind the other, on their way into one write.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    room: &'a mut [u8],
    length: usize,
    date: Date,
}

impl<'a> Answers<'a> {
    /// No answers; `room` holds at least [`LONGEST`] bytes.
    pub(super) fn new(room: &'a mut [u8], date: Date) -> Answers<'a> {
        Answers { room, length: 0, date }
    }

    /// How many bytes of the room they take.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether one more fits, whichever it is.
    pub(super) fn has_room(&self) -> bool {
        self.room.len() - self.length >= LONGEST
    }

    pub(super) fn push(&mut self, reply: Reply) {
        let date = self.date;
        self.write(reply.status.start());
        self.write_bytes(&date);
        self.write(reply.persistence.field());
        let end = reply.status.end();
        let without = if reply.without_body && end == HELLO { GREETING.len() } else { 0 };
        self.write(&end[..end.len() - without]);
    }

    /// Tells a client that waits to go on.
    pub(super) fn push_continue(&mut self) {
        self.write(CONTINUE);
    }

    fn write(&mut self, text: &str) {
        self.write_bytes(text.as_bytes());
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        self.room[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}
