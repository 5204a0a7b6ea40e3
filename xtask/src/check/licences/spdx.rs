//! SPDX licence expressions: `OR`, `AND`, `WITH`, brackets; and the old `/` for `OR`.

use std::iter::Peekable;
use std::vec::IntoIter;

/// Whether the licences in `allowed` are enough for `expression`; nothing if it cannot be read.
pub(super) fn satisfied(expression: &str, allowed: &[&str]) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    let mut reader = Reader { words: words.into_iter().peekable(), allowed };
    let result = reader.choice()?;
    reader.words.next().is_none().then_some(result)
}

struct Reader<'a> {
    words: Peekable<IntoIter<String>>,
    allowed: &'a [&'a str],
}

impl Reader<'_> {
    /// `OR` binds weakest.
    fn choice(&mut self) -> Option<bool> {
        let mut result = self.sum()?;
        while self.takes("OR") {
            result |= self.sum()?;
        }
        Some(result)
    }

    fn sum(&mut self) -> Option<bool> {
        let mut result = self.licence()?;
        while self.takes("AND") {
            result &= self.licence()?;
        }
        Some(result)
    }

    fn licence(&mut self) -> Option<bool> {
        if self.takes("(") {
            let result = self.choice()?;
            return self.takes(")").then_some(result);
        }
        let mut name = self.name()?;
        if self.takes("WITH") {
            let exception = self.name()?;
            // An exception only ever permits more.
            if self.allows(&name) {
                return Some(true);
            }
            name = format!("{name} WITH {exception}");
        }
        Some(self.allows(&name))
    }

    fn name(&mut self) -> Option<String> {
        let reserved = |word: &String| matches!(word.as_str(), "OR" | "AND" | "WITH" | "(" | ")");
        self.words.next().filter(|word| !reserved(word))
    }

    fn allows(&self, name: &str) -> bool {
        self.allowed.contains(&name)
    }

    fn takes(&mut self, word: &str) -> bool {
        self.words.next_if(|next| next == word).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mit_and_isc(expression: &str) -> Option<bool> {
        satisfied(expression, &["MIT", "ISC", "GPL-2.0-only WITH Linking"])
    }

    #[test]
    fn one_of_several_is_enough_and_all_of_several_are_needed() {
        assert_eq!(with_mit_and_isc("MIT"), Some(true));
        assert_eq!(with_mit_and_isc("GPL-2.0-only"), Some(false));
        assert_eq!(with_mit_and_isc("GPL-2.0-only OR MIT"), Some(true));
        assert_eq!(with_mit_and_isc("GPL-2.0-only/MIT"), Some(true));
        assert_eq!(with_mit_and_isc("GPL-2.0-only AND MIT"), Some(false));
        assert_eq!(with_mit_and_isc("ISC AND MIT"), Some(true));
    }

    #[test]
    fn and_binds_stronger_than_or() {
        assert_eq!(with_mit_and_isc("MIT OR X AND Y"), Some(true));
        assert_eq!(with_mit_and_isc("(MIT OR X) AND Y"), Some(false));
        assert_eq!(with_mit_and_isc("(MIT OR X) AND (Y OR ISC)"), Some(true));
    }

    #[test]
    fn exceptions_permit_more() {
        assert_eq!(with_mit_and_isc("MIT WITH Anything"), Some(true));
        assert_eq!(with_mit_and_isc("GPL-2.0-only WITH Linking"), Some(true));
        assert_eq!(with_mit_and_isc("GPL-2.0-only WITH Other"), Some(false));
    }

    #[test]
    fn nonsense_is_not_read() {
        for nonsense in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            assert_eq!(with_mit_and_isc(nonsense), None, "{nonsense}");
        }
    }
}
