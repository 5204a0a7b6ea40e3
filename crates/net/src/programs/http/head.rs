//! The head of a request: what it asks for, and how its body is framed.

use std::mem::MaybeUninit;

use httparse::{Error, Header, Request, Status::Complete, Status::Partial};

use super::answer::{Persistence, Reply, Status};
use super::{MAX_BODY, MAX_HEAD, MAX_HEADERS};

/// What bytes hold that begin with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The head goes on after them.
    Partial,
    /// The head, and the bytes that it takes.
    Whole(usize, Head),
    /// Nothing that can be served; where the next request would begin is not known.
    Refused(Status),
}

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How the request is answered once its body has come.
    pub(super) reply: Reply,
    pub(super) framing: Framing,
    /// Whether the client waits for a word before it sends the body.
    pub(super) expects_continue: bool,
}

/// How the end of a body is known: RFC 9112, section 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes; 0 without a body.
    Length(u64),
    Chunked,
}

/// Parses the head at the start of `bytes`, of which there are at most [`MAX_HEAD`].
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Complete(length)) => match read(&request) {
            Ok(head) => Parsed::Whole(length, head),
            Err(status) => Parsed::Refused(status),
        },
        Ok(Partial) if bytes.len() < MAX_HEAD => Parsed::Partial,
        Ok(Partial) if bytes.contains(&b'\n') => Parsed::Refused(Status::HeadTooLarge),
        Ok(Partial) => Parsed::Refused(Status::TargetTooLong),
        Err(Error::TooManyHeaders) => Parsed::Refused(Status::HeadTooLarge),
        Err(Error::Version) => Parsed::Refused(unknown_version(bytes)),
        Err(_) => Parsed::Refused(Status::BadRequest),
    }
}

/// Another version of HTTP is told that it is not spoken here; another protocol is not understood.
fn unknown_version(bytes: &[u8]) -> Status {
    let version = bytes.split(|byte| *byte == b' ').nth(2).unwrap_or_default();
    match version.strip_prefix(b"HTTP/") {
        Some([b'0'..=b'9', ..]) => Status::VersionNotSupported,
        _ => Status::BadRequest,
    }
}

fn read(request: &Request<'_, '_>) -> Result<Head, Status> {
    let is_old = request.version == Some(0);
    let mut fields = Fields::default();
    for header in &*request.headers {
        fields.note(header)?;
    }
    if !is_old && !fields.has_host {
        return Err(Status::BadRequest);
    }
    let framing = fields.framing(is_old)?;
    let status = status(request)?;
    Ok(Head {
        reply: Reply {
            status,
            without_body: request.method == Some("HEAD"),
            persistence: fields.persistence(is_old),
        },
        framing,
        // A client of HTTP/1.0 cannot mean it: RFC 9110, section 10.1.1.
        expects_continue: fields.expects_continue && !is_old && framing != Framing::Length(0),
    })
}

/// The answer to a request that is framed well; an error is one after which nothing can follow.
fn status(request: &Request<'_, '_>) -> Result<Status, Status> {
    let target = request.path.unwrap_or_default();
    let method = request.method.unwrap_or_default();
    let is_known = target.starts_with('/') || target.contains("://");
    match method {
        "GET" | "HEAD" | "POST" if is_known => Ok(Status::Hello),
        "OPTIONS" if is_known || target == "*" => Ok(Status::Options),
        // What follows would be no request, if the client took the answer for a tunnel.
        "CONNECT" => Err(Status::MethodNotAllowed),
        _ if !is_known => Err(Status::BadRequest),
        "DELETE" | "PATCH" | "PUT" | "TRACE" => Ok(Status::MethodNotAllowed),
        _ => Ok(Status::MethodNotImplemented),
    }
}

/// The header fields that matter to a server.
#[derive(Debug, Default)]
struct Fields {
    has_host: bool,
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    coding: Option<Coding>,
    expects_continue: bool,
}

/// The transfer codings of a body, of which the last frames it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// Ends in chunked, after a coding that is not known here.
    Unknown,
    /// Chunked is not the last.
    Unframed,
}

impl Fields {
    fn note(&mut self, header: &Header<'_>) -> Result<(), Status> {
        // Few fields matter, and their names differ in length.
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            4 if is("host") => self.host(header.value),
            6 if is("expect") => self.expect(header.value),
            10 if is("connection") => {
                self.connection(header.value);
                Ok(())
            }
            14 if is("content-length") => self.content_length(header.value),
            17 if is("transfer-encoding") => {
                self.transfer_encoding(header.value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One, with nothing that a host and a port cannot have: RFC 9112, section 3.2.
    fn host(&mut self, value: &[u8]) -> Result<(), Status> {
        let is_valid = value.iter().all(|byte| IN_HOST[usize::from(*byte)]);
        if self.has_host || !is_valid {
            return Err(Status::BadRequest);
        }
        self.has_host = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in items(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Status> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Status::ExpectationFailed);
        }
        self.expects_continue = true;
        Ok(())
    }

    /// Several times the same number is that number: RFC 9112, section 6.3.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Status> {
        for item in value.split(|byte| *byte == b',') {
            let length = number(item.trim_ascii()).ok_or(Status::BadRequest)?;
            if self.length.is_some_and(|before| before != length) {
                return Err(Status::BadRequest);
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// An empty member is none of the codings, so that nobody on the way can read it otherwise.
    fn transfer_encoding(&mut self, value: &[u8]) {
        for coding in value.split(|byte| *byte == b',') {
            let is_chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
            self.coding = Some(match (self.coding, is_chunked) {
                (None, true) => Coding::Chunked,
                (Some(Coding::Unframed), true) => Coding::Unknown,
                // Chunked twice is no framing either.
                _ => Coding::Unframed,
            });
        }
    }

    /// RFC 9112, sections 6.1 and 6.3.
    fn framing(&self, is_old: bool) -> Result<Framing, Status> {
        match (self.coding, self.length) {
            (None, length @ (None | Some(..=MAX_BODY))) => {
                Ok(Framing::Length(length.unwrap_or_default()))
            }
            (None, Some(_)) => Err(Status::ContentTooLarge),
            (Some(_), Some(_)) => Err(Status::BadRequest),
            (Some(_), None) if is_old => Err(Status::BadRequest),
            (Some(Coding::Chunked), None) => Ok(Framing::Chunked),
            (Some(Coding::Unknown), None) => Err(Status::CodingNotImplemented),
            (Some(Coding::Unframed), None) => Err(Status::BadRequest),
        }
    }

    /// RFC 9112, section 9.3.
    fn persistence(&self, is_old: bool) -> Persistence {
        match (self.close, is_old, self.keep_alive) {
            (true, _, _) | (false, true, false) => Persistence::Close,
            (false, false, _) => Persistence::Kept,
            (false, true, true) => Persistence::KeptAsAsked,
        }
    }
}

/// The bytes of a host and a port, as a table: each request has some to be looked up.
const IN_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\
        .:-[]_~%!$&'()*+,;=";
    while let [byte, others @ ..] = rest {
        table[*byte as usize] = true;
        rest = others;
    }
    table
};

/// The members of a list, without the empty ones: RFC 9110, section 5.6.1.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Digits and nothing else; a number that is too large counts as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
    is_number.then(|| digits.iter().fold(0, add))
}
