//! A connection without its socket: bytes in, answers and what to do next out.

use std::mem::take;
use std::time::{Duration, Instant};

use super::MAX_HEAD;
use super::answer::{Answers, Persistence, Reply, Status};
use super::body::Body;
use super::head::{self, Head, Parsed};

/// What a connection wants once its answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More bytes: all have been taken.
    Read,
    /// Room for answers: bytes are left.
    Write,
    /// To be closed. The client has nothing more to say.
    Close,
    /// To be closed, and the client may be in the middle of saying something.
    Linger,
}

/// Where a connection is in its requests.
#[derive(Debug)]
pub(super) struct Connection {
    part: Part,
    /// The head that has begun, unless it is whole.
    head: Vec<u8>,
    /// When the request that has begun must be whole; `None` between requests.
    deadline: Option<Instant>,
    /// How long a request may take.
    request_time: Duration,
}

/// What comes next.
#[derive(Debug)]
enum Part {
    Head,
    Body(Body, Reply),
}

impl Connection {
    pub(super) fn new(request_time: Duration) -> Connection {
        Connection { part: Part::Head, head: Vec::new(), deadline: None, request_time }
    }

    /// When the request that has begun must be whole.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes what it can use off `bytes`, which came by `now`, and adds the answers to the requests that
    /// are whole. Without bytes, when the deadline has come, it gives up on the request. After
    /// [`Next::Close`] or [`Next::Linger`] it takes nothing more.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        bytes: &mut &[u8],
        answers: &mut Answers<'_>,
    ) -> Next {
        if bytes.is_empty() && self.deadline.is_some_and(|deadline| deadline <= now) {
            return self.refuse(Status::RequestTimeout, answers);
        }
        let next = loop {
            if bytes.is_empty() {
                break Next::Read;
            }
            if !answers.has_room() {
                break Next::Write;
            }
            let end = match self.part {
                Part::Head => self.head(bytes, answers),
                Part::Body(..) => self.body(bytes, answers),
            };
            if let Some(end) = end {
                break end;
            }
        };
        if self.is_between_requests() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = now.checked_add(self.request_time);
        }
        next
    }

    fn is_between_requests(&self) -> bool {
        matches!(self.part, Part::Head) && self.head.is_empty()
    }

    /// Goes on with a head, or begins one. A head that is whole is parsed where it lies.
    fn head(&mut self, bytes: &mut &[u8], answers: &mut Answers<'_>) -> Option<Next> {
        if !self.head.is_empty() {
            return self.rest_of_head(bytes, answers);
        }
        *bytes = without_blank_lines(bytes);
        if bytes.is_empty() {
            return None;
        }
        match head::parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
            Parsed::Whole(length, head) => {
                *bytes = &bytes[length..];
                self.begin(&head, bytes, answers)
            }
            Parsed::Partial => {
                self.head.extend_from_slice(take(bytes));
                None
            }
            Parsed::Refused(status) => Some(self.refuse(status, answers)),
        }
    }

    /// Parses a head anew with what came behind its beginning. To have it come byte by byte costs
    /// the client more than us.
    #[cold]
    fn rest_of_head(&mut self, bytes: &mut &[u8], answers: &mut Answers<'_>) -> Option<Next> {
        let before = self.head.len();
        let (more, behind) = bytes.split_at(bytes.len().min(MAX_HEAD - before));
        self.head.reserve_exact(more.len());
        self.head.extend_from_slice(more);
        match head::parse(&self.head) {
            Parsed::Whole(length, head) => {
                *bytes = &bytes[length - before..];
                self.head = Vec::new();
                self.begin(&head, bytes, answers)
            }
            Parsed::Partial => {
                *bytes = behind;
                // A blank line that was cut in the middle.
                let start = without_blank_lines(&self.head);
                if start.len() < self.head.len() {
                    self.head = start.to_vec();
                }
                None
            }
            Parsed::Refused(status) => Some(self.refuse(status, answers)),
        }
    }

    /// Begins a request whose head is whole; `bytes` are behind it.
    fn begin(&mut self, head: &Head, bytes: &[u8], answers: &mut Answers<'_>) -> Option<Next> {
        let body = Body::new(head.framing);
        if body.is_done() {
            return self.answer(head.reply, bytes, answers);
        }
        if head.expects_continue {
            if head.reply.status.is_error() {
                // Without a body that nobody wants.
                return Some(self.refuse(head.reply.status, answers));
            }
            answers.push_continue();
        }
        self.part = Part::Body(body, head.reply);
        None
    }

    fn body(&mut self, bytes: &mut &[u8], answers: &mut Answers<'_>) -> Option<Next> {
        let Part::Body(body, reply) = &mut self.part else {
            return None;
        };
        let reply = *reply;
        match body.take(bytes) {
            Ok(()) if body.is_done() => self.answer(reply, bytes, answers),
            Ok(()) => None,
            Err(status) => Some(self.refuse(status, answers)),
        }
    }

    /// Answers a request that is whole; `bytes` are behind it.
    fn answer(&mut self, reply: Reply, bytes: &[u8], answers: &mut Answers<'_>) -> Option<Next> {
        self.part = Part::Head;
        self.deadline = None;
        answers.push(reply);
        let is_kept = reply.persistence != Persistence::Close;
        let end = if bytes.is_empty() { Next::Close } else { Next::Linger };
        (!is_kept).then_some(end)
    }

    /// Answers what cannot be served, after which nothing is understood any more.
    #[cold]
    fn refuse(&mut self, status: Status, answers: &mut Answers<'_>) -> Next {
        self.part = Part::Head;
        self.head = Vec::new();
        answers.push(Reply { status, without_body: false, persistence: Persistence::Close });
        Next::Linger
    }
}

/// Clients of old ended a body with a line that does not count: RFC 9112, section 2.2.
fn without_blank_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
