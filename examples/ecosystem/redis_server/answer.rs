//! What the server sends.

use std::fmt::Display;
use std::io::Write;

/// Answers on their way out.
#[derive(Debug, Default)]
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// One word for people and programs.
    pub(crate) fn simple(&mut self, text: &str) {
        self.line('+', text);
    }

    /// `text` begins with the kind of the error.
    pub(crate) fn error(&mut self, text: &str) {
        self.line('-', text);
    }

    pub(crate) fn integer(&mut self, number: i64) {
        self.line(':', number);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.line(':', count);
    }

    /// Any bytes.
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.line('$', bytes.len());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }

    /// There is no such thing.
    pub(crate) fn nil(&mut self) {
        self.line('$', -1);
    }

    /// So many answers follow, which are one.
    pub(crate) fn array(&mut self, length: usize) {
        self.line('*', length);
    }

    fn line(&mut self, kind: char, content: impl Display) {
        // A vector takes everything.
        let _ = write!(self.0, "{kind}{content}\r\n");
    }
}
