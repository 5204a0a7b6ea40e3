//! The body of a request: where it ends. What is in it is discarded.

use super::MAX_BODY;
use super::answer::Status;
use super::head::Framing;

/// A body, of which some may have come.
#[derive(Debug)]
pub(super) struct Body {
    part: Part,
    /// Bytes that may still come, chunk sizes, extensions and trailers included.
    allowed: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// So many bytes, and then the end of the body.
    Rest(u64),
    /// So many bytes of a chunk; at least one.
    Data(u64),
    /// The end of a chunk's data.
    DataReturn,
    DataFeed,
    /// A chunk's size, before its first digit.
    Size,
    /// Behind a digit of it.
    Digits(u64),
    /// White space behind it, with which an extension may begin.
    Space(u64),
    Extension(u64),
    SizeFeed(u64),
    /// The start of a line behind the last chunk.
    TrailerStart,
    Trailer,
    TrailerFeed,
    /// The feed of the empty line, which ends the body.
    LastFeed,
    Done,
}

impl Body {
    pub(super) fn new(framing: Framing) -> Body {
        let part = match framing {
            Framing::Length(0) => Part::Done,
            Framing::Length(length) => Part::Rest(length),
            Framing::Chunked => Part::Size,
        };
        Body { part, allowed: MAX_BODY }
    }

    pub(super) fn is_done(&self) -> bool {
        self.part == Part::Done
    }

    /// Takes what belongs to the body off `bytes`; all of them unless it ends there.
    ///
    /// # Errors
    ///
    /// When it is not framed as RFC 9112, section 7.1, says, or gets too large.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Result<(), Status> {
        while !self.is_done() && !bytes.is_empty() {
            let length = self.step(bytes)?;
            self.allowed = self.allowed.checked_sub(length).ok_or(Status::ContentTooLarge)?;
            *bytes = &bytes[length as usize..];
        }
        Ok(())
    }

    /// Goes on by some of `bytes`, and says how many.
    fn step(&mut self, bytes: &[u8]) -> Result<u64, Status> {
        let (part, length) = match self.part {
            Part::Rest(left) => skip(left, bytes, Part::Rest, Part::Done),
            Part::Data(left) => skip(left, bytes, Part::Data, Part::DataReturn),
            other => (next(other, bytes[0])?, 1),
        };
        if let Part::Data(size) = part
            && size > self.allowed
        {
            return Err(Status::ContentTooLarge);
        }
        self.part = part;
        Ok(length)
    }
}

/// Skips what is there of `left` bytes.
fn skip(left: u64, bytes: &[u8], more: fn(u64) -> Part, then: Part) -> (Part, u64) {
    let length = left.min(bytes.len() as u64);
    (if length == left { then } else { more(left - length) }, length)
}

/// What comes behind `byte`. A line ends in both signs: where one alone were taken for it, somebody on
/// the way might see other chunks than we do.
fn next(part: Part, byte: u8) -> Result<Part, Status> {
    Ok(match (part, byte) {
        (Part::Size, byte) => Part::Digits(digit(byte).ok_or(Status::BadRequest)?),
        (Part::Digits(size), b'\r') => Part::SizeFeed(size),
        (Part::Digits(size) | Part::Space(size), b';') => Part::Extension(size),
        (Part::Digits(size) | Part::Space(size), b' ' | b'\t') => Part::Space(size),
        (Part::Digits(size), byte) => Part::Digits(longer(size, byte)?),
        (Part::Extension(size), b'\r') => Part::SizeFeed(size),
        (Part::Extension(_), byte) if is_text(byte) => part,
        (Part::SizeFeed(0), b'\n') => Part::TrailerStart,
        (Part::SizeFeed(size), b'\n') => Part::Data(size),
        (Part::DataReturn, b'\r') => Part::DataFeed,
        (Part::DataFeed, b'\n') => Part::Size,
        (Part::TrailerStart, b'\r') => Part::LastFeed,
        (Part::Trailer, b'\r') => Part::TrailerFeed,
        (Part::TrailerStart | Part::Trailer, byte) if is_text(byte) => Part::Trailer,
        (Part::TrailerFeed, b'\n') => Part::TrailerStart,
        (Part::LastFeed, b'\n') => Part::Done,
        _ => return Err(Status::BadRequest),
    })
}

fn longer(size: u64, byte: u8) -> Result<u64, Status> {
    let digit = digit(byte).ok_or(Status::BadRequest)?;
    let size = size.checked_mul(16).ok_or(Status::ContentTooLarge)?;
    Ok(size | digit)
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// What may stand in an extension or a trailer, quoted or not.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}
