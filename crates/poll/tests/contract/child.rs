//! Pipes to and from a child process.

use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use poll::{Interest, Mode, Readiness};

use crate::util::*;

/// A child that writes what it reads, until that ends.
fn echo() -> (Child, ChildStdin, ChildStdout) {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let (input, output) = (child.stdin.take(), child.stdout.take());
    (child, input.expect("a pipe"), output.expect("a pipe"))
}

#[test]
fn a_childs_output_is_followed_to_its_end() {
    on_every_backend(|backend| {
        for mode in [Mode::Level, Mode::OneShot] {
            let (mut child, input, output) = echo();
            let mut selector = selector(backend);
            let input = selector
                .register_with(OwnedFd::from(input), Interest::WRITE, mode, ())
                .expect("registered");
            assert_eq!(wait_for(&mut selector, input), Readiness::WRITE);
            selector.modify(input, None).expect("disarmed");
            let output = selector
                .register_with(OwnedFd::from(output), Interest::READ, mode, ())
                .expect("registered");
            for line in ["one\n", "two\n", "three\n"] {
                assert_quiet(&mut selector);
                let found = selector.get(input).expect("registered");
                rustix::io::write(found.source(), line.as_bytes()).expect("room for a line");
                assert_eq!(wait_for(&mut selector, output), Readiness::READ);
                let mut buffer = [0; 16];
                let found = selector.get(output).expect("registered");
                let count = rustix::io::read(found.source(), &mut buffer).expect("a line");
                assert_eq!(&buffer[..count], line.as_bytes());
                selector.modify(output, Interest::READ).expect("armed");
            }
            drop(selector.unregister(input).expect("registered"));
            let seen = wait_for(&mut selector, output);
            assert!(seen.is_readable(), "{seen:?}");
            assert_eq!(seen.is_hangup(), tells_of_hangups(backend), "{seen:?}");
            let (output, ()) = selector.unregister(output).expect("registered");
            assert_eq!(rustix::io::read(&output, &mut [0; 16]), Ok(0));
            assert!(child.wait().expect("it ends").success());
        }
    });
}

#[cfg(not(target_os = "illumos"))]
#[test]
fn a_childs_output_is_followed_with_three_lists() {
    use std::io::{BufRead, BufReader, Write};
    use std::time::Duration;
    let (mut child, input, output) = echo();
    let (mut input, mut output) = (Some(input), BufReader::new(output));
    let mut lines = ["one\n", "two\n", "three\n"].into_iter();
    for timeout in [Some(Duration::ZERO), Some(PATIENCE), None, None, None] {
        let (read, write, except) =
            poll::select(&[output.get_ref()], &[], &[], timeout).expect("a wait");
        assert!(write.is_empty() && except.is_empty());
        assert_eq!(read.len(), usize::from(timeout != Some(Duration::ZERO)));
        let mut line = String::new();
        if !read.is_empty() && output.read_line(&mut line).expect("a line") == 0 {
            break;
        }
        match lines.next() {
            Some(line) => {
                let input = input.as_mut().expect("open while there are lines");
                input.write_all(line.as_bytes()).expect("a write");
            }
            None => input = None,
        }
    }
    assert!(input.is_none() && lines.next().is_none(), "it was followed to its end");
    assert!(child.wait().expect("it ends").success());
}
