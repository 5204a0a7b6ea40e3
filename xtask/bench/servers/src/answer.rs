//! What loops that are written by hand send for what they have read.

use crate::{HELLO, READ_SIZE};

/// What a server answers with.
pub trait Answer {
    /// What is kept of a connection from one read to the next.
    type State: Default;

    /// What is sent for what was read.
    fn answer<'a>(&'a self, state: &mut Self::State, request: &'a [u8]) -> &'a [u8];
}

/// The same for each read.
#[derive(Clone, Copy, Debug)]
pub struct Hello;

impl Answer for Hello {
    type State = ();

    fn answer<'a>(&'a self, (): &mut (), _: &'a [u8]) -> &'a [u8] {
        HELLO
    }
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

impl Answer for Echo {
    type State = ();

    fn answer<'a>(&'a self, (): &mut (), request: &'a [u8]) -> &'a [u8] {
        request
    }
}

/// The same for each blank line, which ends the head of an HTTP request; nothing else is looked at.
#[derive(Clone, Debug)]
pub struct Canned {
    /// As many answers as a read can ask for.
    answers: Vec<u8>,
}

/// As long as what `hello --http` answers, with a date that was once right.
const CANNED: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n";

const BLANK: &[u8; 4] = b"\r\n\r\n";

impl Default for Canned {
    fn default() -> Self {
        // The first blank line may have begun in the read before.
        Canned { answers: CANNED.repeat(READ_SIZE / BLANK.len() + 1) }
    }
}

impl Answer for Canned {
    /// The bytes of a blank line that have been seen.
    type State = u8;

    fn answer<'a>(&'a self, seen: &mut u8, request: &'a [u8]) -> &'a [u8] {
        let mut count = 0;
        for &byte in request {
            *seen = match byte {
                _ if byte == BLANK[usize::from(*seen)] => *seen + 1,
                b'\r' => 1,
                _ => 0,
            };
            if usize::from(*seen) == BLANK.len() {
                (*seen, count) = (0, count + 1);
            }
        }
        &self.answers[..count * CANNED.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_blank_line_is_answered_wherever_reads_end() {
        let canned = Canned::default();
        let requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\r\n\r\n\r\n\r\n";
        for size in 1..=requests.len() {
            let mut seen = 0;
            let sent = requests.chunks(size).map(|read| canned.answer(&mut seen, read).len());
            assert_eq!(sent.sum::<usize>(), 3 * CANNED.len(), "reads of {size}");
        }
    }

    #[test]
    fn a_read_full_of_blank_lines_is_answered() {
        let canned = Canned::default();
        let mut seen = 3;
        let read = [b"\n", &BLANK.repeat(READ_SIZE / 4)[..READ_SIZE - 1]].concat();
        assert_eq!(canned.answer(&mut seen, &read).len(), READ_SIZE / 4 * CANNED.len());
    }
}
