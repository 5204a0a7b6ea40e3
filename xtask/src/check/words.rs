//! Words that must not stand in the tree.

use crate::tree::File;

/// What is left behind by accident, each with the reason it must not stay.
const WORDS: [(&str, &str); 9] = [
    (concat!("to", "do!"), "is unfinished"),
    (concat!("unimple", "mented!"), "is unfinished"),
    (concat!("TO", "DO"), "is unfinished; open an issue"),
    (concat!("FIX", "ME"), "is unfinished; open an issue"),
    (concat!("XX", "X"), "is unfinished; open an issue"),
    (concat!("db", "g!"), "is for the developer's eyes"),
    (concat!("/ho", "me/"), "is a path of one machine"),
    (concat!("/Us", "ers/"), "is a path of one machine"),
    (concat!("/ro", "ot/"), "is a path of one machine"),
];

pub(crate) fn check(files: &[File]) -> Vec<String> {
    files.iter().flat_map(inspect).collect()
}

fn inspect(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for (word, reason) in WORDS.iter().filter(|(word, _)| line.contains(word)) {
            findings.push(format!("{}:{}: {word} {reason}", file.path, at + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_with_its_line() {
        for (word, _) in WORDS {
            let file = File { path: "a.md".into(), text: format!("fine\nhere: {word}") };
            let findings = check(&[file]);
            assert_eq!(findings.len(), 1, "{word}");
            assert!(findings[0].starts_with("a.md:2: "), "{findings:?}");
        }
        let file = File { path: "a.md".into(), text: "nothing to do here".into() };
        assert!(check(&[file]).is_empty());
    }
}
