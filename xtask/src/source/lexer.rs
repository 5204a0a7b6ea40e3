//! Text into tokens; whitespace and comments fall away.

/// What a token is, as far as the checks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A string, a character, a number.
    Literal,
    /// A lifetime, or one sign; `::` is one sign.
    Sign,
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The line it starts in, from 1.
    pub(super) line: usize,
}

impl Token {
    /// Whether it is this word or sign; a literal never is.
    pub(super) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }

    pub(super) fn opens(&self) -> bool {
        self.is("(") || self.is("[") || self.is("{")
    }

    pub(super) fn closes(&self) -> bool {
        self.is(")") || self.is("]") || self.is("}")
    }
}

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let (kind, length) = match blank(rest) {
            0 => measure(rest),
            length => (None, length),
        };
        let (taken, left) = rest.split_at(length);
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: taken.to_owned(), line });
        }
        line += taken.matches('\n').count();
        rest = left;
    }
    tokens
}

/// The length of the whitespace or comment that `rest` starts with.
fn blank(rest: &str) -> usize {
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else {
        rest.len() - rest.trim_start().len()
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The kind and the length of the token that `rest` starts with.
fn measure(rest: &str) -> (Option<Kind>, usize) {
    let word = word_length(rest);
    let first = rest.chars().next().unwrap_or(' ');
    let (kind, length) = if first.is_ascii_digit() {
        (Kind::Literal, number_length(rest))
    } else if word > 0 {
        prefixed(rest, word)
    } else if first == '"' {
        (Kind::Literal, quoted_length(rest, '"'))
    } else if first == '\'' {
        quote(rest)
    } else if rest.starts_with("::") {
        (Kind::Sign, 2)
    } else {
        (Kind::Sign, first.len_utf8())
    };
    (Some(kind), length)
}

fn word_length(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
}

/// `1..2` is two numbers, `1.5` is one.
fn number_length(rest: &str) -> usize {
    let whole = word_length(rest);
    let fraction = rest[whole..].strip_prefix('.').map(word_length);
    match fraction {
        Some(length) if rest[whole + 1..].starts_with(|c: char| c.is_ascii_digit()) => {
            whole + 1 + length
        }
        _ => whole,
    }
}

/// A word, unless it is the prefix of a string or of a raw word.
fn prefixed(rest: &str, word: usize) -> (Kind, usize) {
    let (prefix, tail) = rest.split_at(word);
    let raw = matches!(prefix, "r" | "br" | "cr");
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    if raw && tail[hashes..].starts_with('"') {
        let end = format!("\"{}", &tail[..hashes]);
        let body = &tail[hashes + 1..];
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        (Kind::Literal, word + hashes + 1 + length)
    } else if prefix == "r" && hashes == 1 {
        (Kind::Word, word + 1 + word_length(&tail[1..]))
    } else if matches!(prefix, "b" | "c") && tail.starts_with('"') {
        (Kind::Literal, word + quoted_length(tail, '"'))
    } else if prefix == "b" && tail.starts_with('\'') {
        (Kind::Literal, word + quoted_length(tail, '\''))
    } else {
        (Kind::Word, word)
    }
}

/// A character, or the mark of a lifetime.
fn quote(rest: &str) -> (Kind, usize) {
    let mut after = rest.chars().skip(1);
    let first = after.next();
    if first == Some('\\') || after.next() == Some('\'') {
        (Kind::Literal, quoted_length(rest, '\''))
    } else {
        (Kind::Sign, 1 + word_length(&rest[1..]))
    }
}

/// Up to and with the closing `mark`; a backslash takes the character behind it along.
fn quoted_length(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == mark {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_fall_away() {
        assert_eq!(texts("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
    }

    #[test]
    fn literals_are_one_token() {
        let text = r####"b"a\"}" r#"{"# '}' '\'' b'{' 1.5 r#fn "####;
        let expected = [r#"b"a\"}""#, r##"r#"{"#"##, "'}'", r"'\''", "b'{'", "1.5", "r#fn"];
        assert_eq!(texts(text), expected);
    }

    #[test]
    fn lifetimes_are_no_characters() {
        assert_eq!(texts("<'a>(&'a str)"), ["<", "'a", ">", "(", "&", "'a", "str", ")"]);
        assert_eq!(texts("0..9"), ["0", ".", ".", "9"]);
    }

    #[test]
    fn lines_count_from_one_and_through_strings() {
        let lines: Vec<usize> = tokens("a\n\"b\nc\"\nd").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }
}
