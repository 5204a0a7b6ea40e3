//! Requests in every piece, and requests that are none.

use super::{MAX_LINE, MAX_REQUEST, MAX_WORDS, parse};

#[test]
fn a_request_is_found_once_it_is_whole() {
    let bytes = b"*2\r\n$4\r\nECHO\r\n$7\r\na\r\nb\0c \r\nPING";
    for end in 0..bytes.len() - 4 {
        assert_eq!(parse(&bytes[..end]), Ok(None), "{end} bytes");
    }
    let words: Vec<&[u8]> = vec![b"ECHO", b"a\r\nb\0c "];
    assert_eq!(parse(bytes), Ok(Some((words, bytes.len() - 4))));
    let by_hand: Vec<&[u8]> = vec![b"set", b"a", b"b"];
    assert_eq!(parse(b" set  a b \r\n"), Ok(Some((by_hand, 12))));
}

#[test]
fn nonsense_and_too_much_is_refused() {
    for bad in [
        "*x\r\n",
        "*-1\r\n",
        &format!("*{}\r\n", MAX_WORDS + 1),
        "*1\r\n+PING\r\n",
        "*1\r\n$+1\r\n",
        &format!("*1\r\n${MAX_REQUEST}\r\n"),
        "*1\r\n$1\r\nabc",
        &"a".repeat(MAX_LINE),
    ] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let zeros = format!("*{MAX_WORDS}\r\n") + &format!("${:01000}\r\n\r\n", 0).repeat(MAX_WORDS);
    assert!(parse(zeros.as_bytes()).is_ok());
    let zeros = zeros.replace("$0", "$00000000000000000000000000000000");
    assert!(parse(zeros.as_bytes()).is_err(), "longer than a request may be");
}
