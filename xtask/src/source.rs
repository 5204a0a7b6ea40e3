//! Rust source as tokens: enough to count, to find words and to follow paths.
//!
//! A parser would know more and cost a minute of building. Comments and literals fall away here, so
//! that no check stumbles over a brace in a string or a word in a sentence.

mod lexer;

use std::ops::Range;

use crate::tree::File;
use lexer::{Kind, Token};

/// One file of Rust.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    tokens: Vec<Token>,
    /// The tokens of items that are compiled for tests only.
    tests: Vec<Range<usize>>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From the line of `fn` to that of the closing brace.
    pub(crate) lines: usize,
}

/// A path such as `std::net::TcpStream`, braces resolved; what follows a type in angle brackets
/// starts with `_`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Whether an `as` gives it another name.
    pub(crate) is_renamed: bool,
}

/// The Rust files among `files`.
pub(crate) fn sources(files: &[File]) -> Vec<Source> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    rust.map(|file| Source::new(&file.path, &file.text)).collect()
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let tokens = lexer::tokens(text);
        let tests = test_items(&tokens);
        Source { path: path.to_owned(), tokens, tests }
    }

    /// The lines that hold code outside test items.
    pub(crate) fn code_lines(&self) -> usize {
        let mut count = 0;
        let mut last = 0;
        for token in self.production() {
            let first = token.line.max(last + 1);
            let end = token.line + token.text.matches('\n').count();
            count += (end + 1).saturating_sub(first);
            last = last.max(end);
        }
        count
    }

    /// The lines in which the word stands as code, tests included.
    pub(crate) fn lines_of(&self, word: &str) -> Vec<usize> {
        let words = self.tokens.iter().filter(|token| token.is(word) && token.kind == Kind::Word);
        words.map(|token| token.line).collect()
    }

    /// Whether an attribute allows the lint.
    pub(crate) fn allows(&self, lint: &str) -> bool {
        (0..self.tokens.len()).any(|start| {
            attribute(&self.tokens, start).is_some_and(|body| {
                let body = &self.tokens[body];
                let relaxes = ["allow", "expect", "warn"].iter().any(|level| has(body, level));
                relaxes && has(body, lint)
            })
        })
    }

    /// Every function with a body, tests included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        (0..self.tokens.len()).filter_map(|start| function(&self.tokens, start)).collect()
    }

    /// Every path in code outside test items, also what stands in the braces of a `use`; and the
    /// name of every method or field, with its dot.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let tokens: Vec<&Token> = self.production().collect();
        let mut paths = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let member = at > 0 && tokens[at - 1].is(".");
            if tokens[at].kind != Kind::Word {
                at += 1;
            } else if member {
                let text = format!(".{}", tokens[at].text);
                paths.push(Path { text, line: tokens[at].line, is_renamed: false });
                at += 1;
            } else {
                let of_type = at > 1 && tokens[at - 1].is("::") && tokens[at - 2].is(">");
                at = path(&tokens, at, if of_type { "_" } else { "" }, &mut paths);
            }
        }
        paths
    }

    /// Modules in files of their own that are compiled for tests only.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let bodies = self.tests.iter().filter_map(|range| {
            let item = &self.tokens[range.clone()];
            let [.., keyword, name, end] = item else {
                return None;
            };
            (keyword.is("mod") && end.is(";")).then(|| self.module_file(&name.text))
        });
        bodies.collect()
    }

    /// Where the module `name` of this file lives, without `.rs`.
    fn module_file(&self, name: &str) -> String {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, file) = stem.rsplit_once('/').unwrap_or(("", stem));
        let root = matches!(file, "lib" | "main" | "mod");
        if root { format!("{folder}/{name}") } else { format!("{stem}/{name}") }
    }

    fn production(&self) -> impl Iterator<Item = &Token> {
        let kept = |at: &usize| !self.tests.iter().any(|range| range.contains(at));
        (0..self.tokens.len()).filter(kept).map(|at| &self.tokens[at])
    }
}

fn has(tokens: &[Token], word: &str) -> bool {
    tokens.iter().any(|token| token.is(word))
}

/// The body of the attribute that starts at `start`, inner or outer.
fn attribute(tokens: &[Token], start: usize) -> Option<Range<usize>> {
    tokens[start].is("#").then_some(())?;
    let inner = tokens.get(start + 1)?.is("!");
    let open = start + 1 + usize::from(inner);
    tokens.get(open)?.is("[").then_some(())?;
    Some(open + 1..closing(tokens, open))
}

/// The items under a `#[cfg(test)]`; all that follows a `#![cfg(test)]`.
fn test_items(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for start in 0..tokens.len() {
        let inside = items.last().is_some_and(|item| item.contains(&start));
        let Some(body) = attribute(tokens, start).filter(|_| !inside) else {
            continue;
        };
        if for_tests(&tokens[body.clone()]) {
            let inner = tokens[start + 1].is("!");
            let end = if inner { tokens.len() } else { item_end(tokens, body.end + 1) };
            items.push(start..end);
        }
    }
    items
}

fn for_tests(attribute: &[Token]) -> bool {
    let test = attribute.iter().position(|token| token.is("test"));
    let negated = |at: usize| at >= 2 && attribute[at - 2].is("not");
    attribute.first().is_some_and(|token| token.is("cfg")) && test.is_some_and(|at| !negated(at))
}

/// The end of the item that starts at `at`: behind its first `;` or its closing brace.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() && !tokens[at].is(";") {
        if tokens[at].is("{") {
            let end = closing(tokens, at);
            let semicolon = tokens.get(end + 1).is_some_and(|token| token.is(";"));
            return (end + 1 + usize::from(semicolon)).min(tokens.len());
        }
        at = if tokens[at].opens() { closing(tokens, at) + 1 } else { at + 1 };
    }
    (at + 1).min(tokens.len())
}

/// The token that closes the bracket at `open`; the last one if nothing does.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len() - 1
}

/// The function whose `fn` stands at `start`; a type such as `fn(u8)` is none.
fn function(tokens: &[Token], start: usize) -> Option<Function> {
    let name = tokens.get(start + 1).filter(|name| name.kind == Kind::Word)?;
    tokens[start].is("fn").then_some(())?;
    let mut at = start + 2;
    while !tokens.get(at)?.is("{") {
        if tokens[at].is(";") {
            return None;
        }
        at = if tokens[at].opens() { closing(tokens, at) + 1 } else { at + 1 };
    }
    let line = tokens[start].line;
    let lines = tokens[closing(tokens, at)].line - line + 1;
    Some(Function { name: name.text.clone(), line, lines })
}

/// Reads the path or the use tree at `at` and returns where it ends.
fn path(tokens: &[&Token], mut at: usize, prefix: &str, paths: &mut Vec<Path>) -> usize {
    let line = tokens[at].line;
    let mut text = prefix.to_owned();
    loop {
        if tokens[at].is("{") {
            return branches(tokens, at + 1, &text, paths);
        }
        if !tokens[at].is("self") || text.is_empty() {
            if !text.is_empty() {
                text.push_str("::");
            }
            text.push_str(&tokens[at].text);
        }
        at += 1;
        let goes_on = |token: &&Token| token.kind == Kind::Word || token.is("{") || token.is("*");
        let more = tokens.get(at).is_some_and(|token| token.is("::"))
            && tokens.get(at + 1).is_some_and(goes_on);
        if !more {
            break;
        }
        at += 1;
    }
    let is_renamed = tokens.get(at).is_some_and(|token| token.is("as"));
    paths.push(Path { text, line, is_renamed });
    at
}

/// Reads the branches of a use tree up to and over their closing brace.
fn branches(tokens: &[&Token], mut at: usize, prefix: &str, paths: &mut Vec<Path>) -> usize {
    while at < tokens.len() && !tokens[at].is("}") {
        if tokens[at].is("as") {
            at += 2;
        } else if tokens[at].kind == Kind::Word || tokens[at].is("*") {
            at = path(tokens, at, prefix, paths);
        } else {
            at += 1;
        }
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_lines_leave_out_blanks_comments_and_tests() {
        let text = "//! Subject.\n\nfn f() {\n    // why\n    g();\n}\n/* a\nb */\n\
                    #[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
        assert_eq!(Source::new("a.rs", text).code_lines(), 3);
        assert_eq!(Source::new("a.rs", "#![cfg(test)]\nfn f() {}\n").code_lines(), 0);
        assert_eq!(Source::new("a.rs", "#[cfg(not(test))]\nfn f() {}\n").code_lines(), 2);
        assert_eq!(Source::new("a.rs", "const A: &str = \"one\ntwo\nthree\";\n").code_lines(), 3);
    }

    #[test]
    fn functions_are_measured_from_word_to_brace() {
        let text =
            "type F = fn(u8);\nfn a(x: [u8; 3])\nwhere\n{\n    if x { }\n}\ntrait T { fn b(); }";
        let a = Function { name: "a".into(), line: 2, lines: 5 };
        assert_eq!(Source::new("a.rs", text).functions(), [a]);
    }

    #[test]
    fn paths_are_found_in_use_trees_and_in_code() {
        let text = "use std::{io::{self, Read as R}, net::*};\nfn f() { poll::select(); x.poll(); }\n\
                    #[cfg(test)]\nmod tests { use hidden::Thing; }";
        let source = Source::new("a.rs", text);
        let paths: Vec<String> = source.paths().into_iter().map(|path| path.text).collect();
        for expected in ["std::io", "std::io::Read", "std::net::*", "poll::select"] {
            assert!(paths.iter().any(|path| path == expected), "{expected} in {paths:?}");
        }
        assert!(!paths.iter().any(|path| path.contains("hidden")), "{paths:?}");
        assert!(!paths.iter().any(|path| path == "poll"), "a method is no path: {paths:?}");
    }

    #[test]
    fn another_name_is_noted() {
        let text = "use a::B as C; use d::{E as F, G}; fn f() { <H>::now(); }";
        let paths = Source::new("a.rs", text).paths();
        let renamed = paths.iter().filter(|path| path.is_renamed);
        let renamed: Vec<&str> = renamed.map(|path| path.text.as_str()).collect();
        assert_eq!(renamed, ["a::B", "d::E"]);
        assert!(paths.iter().any(|path| path.text == "_::now"), "{paths:?}");
    }

    #[test]
    fn words_in_comments_and_strings_are_no_code() {
        let text = "// unsafe\nconst A: &str = \"unsafe\";\nunsafe fn f() {}\n";
        let source = Source::new("a.rs", text);
        assert_eq!(source.lines_of("unsafe"), [3]);
        assert!(!source.allows("unsafe_code"));
        assert!(Source::new("a.rs", "#![allow(dead_code, unsafe_code)]").allows("unsafe_code"));
        assert!(!Source::new("a.rs", "#![deny(unsafe_code)]").allows("unsafe_code"));
    }

    #[test]
    fn test_modules_in_files_are_named() {
        let text = "#[cfg(test)]\nmod oracle;\nmod used;\n";
        assert_eq!(Source::new("c/src/lib.rs", text).test_modules(), ["c/src/oracle"]);
        assert_eq!(Source::new("c/src/a.rs", text).test_modules(), ["c/src/a/oracle"]);
    }
}
