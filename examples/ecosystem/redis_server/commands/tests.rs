//! Answers byte for byte, without a network and on a clock that nobody waits for.

use super::{Then, run};
use crate::answer::Answer;
use crate::request::MAX_REQUEST;
use crate::store::{MAX_MEMORY, Store};

/// What the server answers to requests that are typed by hand; `@` waits for a second.
fn answers(requests: &[&str]) -> String {
    let requests: Vec<String> = requests.iter().map(ToString::to_string).collect();
    let (event_loop, _clock) = net::EventLoop::manual();
    let answered = event_loop.run_until(async move {
        let (mut store, mut answer) = (Store::default(), Answer::default());
        for request in requests {
            if request == "@" {
                net::sleep(std::time::Duration::from_secs(1)).await;
            }
            let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
            run(&words, &mut store, &mut answer);
        }
        String::from_utf8_lossy(answer.bytes()).replace("\r\n", "|")
    });
    answered.unwrap()
}

#[test]
fn commands_are_answered() {
    assert_eq!(answers(&["ping", "echo a", "get a"]), "+PONG|$1|a|$-1|");
    assert_eq!(
        answers(&["set a 1", "incr a", "get a", "del a b", "exists a"]),
        "+OK|:2|$1|2|:1|:0|"
    );
    assert_eq!(answers(&["set a 1 ex 1", "get a", "@", "get a"]).matches("$-1|").count(), 1);
    assert_eq!(answers(&["set a 1 px 1001", "@", "incr a"]).matches(":2|").count(), 1);
    let errors = ["get", "set a b c", "set a b ex 0", "incr", "nothing\r", "set a x", "incr a"];
    let errors = answers(&errors);
    assert_eq!(errors.matches("|-ERR").count() + 1, 6, "{errors}");
    assert!(errors.contains("unknown command 'NOTHING\\R'"), "{errors}");
}

#[test]
fn the_store_is_never_larger_than_its_limit() {
    let (mut store, mut answer) = (Store::default(), Answer::default());
    let value = vec![b'x'; MAX_REQUEST / 2];
    let (event_loop, _clock) = net::EventLoop::manual();
    event_loop.enter(|| {
        for key in 0..2 * MAX_MEMORY / value.len() {
            let then = run(&[b"SET", key.to_string().as_bytes(), &value], &mut store, &mut answer);
            assert_eq!(then, Then::Stay);
            assert!(store.size().1 <= MAX_MEMORY);
        }
        assert!(
            answer
                .bytes()
                .ends_with(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n")
        );
        run(&[b"DEL", b"0"], &mut store, &mut answer);
        run(&[b"SET", b"0", &value], &mut store, &mut answer);
        assert!(answer.bytes().ends_with(b":1\r\n+OK\r\n"));
    });
}
