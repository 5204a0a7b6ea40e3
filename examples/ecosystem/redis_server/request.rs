//! What clients send: https://redis.io/docs/latest/develop/reference/protocol-spec/, version 2.

#[cfg(test)]
mod tests;

/// Bytes of a whole request.
pub(crate) const MAX_REQUEST: usize = 1 << 20;

/// Words of a request: its name and its arguments.
pub(crate) const MAX_WORDS: usize = 1024;

/// Bytes of a line, which is a number or a request typed by hand.
pub(crate) const MAX_LINE: usize = 4096;

/// The words of a request, and how many bytes it takes.
pub(crate) type Request<'a> = (Vec<&'a [u8]>, usize);

/// The request at the beginning of `bytes`; none if more of it has to come.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Request<'_>>, String> {
    let mut reader = Reader { bytes, at: 0 };
    let Some(line) = reader.line()? else { return Ok(None) };
    let Some(count) = line.strip_prefix(b"*") else {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok(Some((words.collect(), reader.at)));
    };
    let count = number(count, MAX_WORDS).ok_or("invalid multibulk length")?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let Some(word) = reader.word()? else { return Ok(None) };
        words.push(word);
    }
    Ok(Some((words, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A line without its end, which is a newline, mostly after a carriage return.
    fn line(&mut self) -> Result<Option<&'a [u8]>, String> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            let too_long = rest.len() >= MAX_LINE;
            return if too_long { Err("too big line".into()) } else { Ok(None) };
        };
        self.at += end + 1;
        Ok(Some(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end])))
    }

    /// A word: its length in a line, then so many bytes and the end of a line.
    fn word(&mut self) -> Result<Option<&'a [u8]>, String> {
        let Some(line) = self.line()? else { return Ok(None) };
        let Some(length) = line.strip_prefix(b"$") else {
            return Err(format!("expected '$', got '{}'", line.escape_ascii()));
        };
        let room = MAX_REQUEST.checked_sub(self.at).ok_or("too big request")?;
        let length = number(length, room).ok_or("invalid bulk length")?;
        let Some(word) = self.bytes.get(self.at..self.at + length + 2) else { return Ok(None) };
        self.at += length + 2;
        word.strip_suffix(b"\r\n").ok_or_else(|| "a bulk has another length".into()).map(Some)
    }
}

/// A number in decimal digits, if it is not above `most`.
fn number(digits: &[u8], most: usize) -> Option<usize> {
    let digits = str::from_utf8(digits).ok()?;
    digits.parse().ok().filter(|number| *number <= most && !digits.starts_with('+'))
}
