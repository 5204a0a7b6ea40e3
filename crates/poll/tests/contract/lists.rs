//! The function for three lists.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use poll::select;

use crate::util::*;

#[test]
fn each_list_gets_its_ready_ones_in_order() {
    let ((a, a_far), (b, _b_far), (c, c_far)) = (tcp_pair(), tcp_pair(), tcp_pair());
    send(&c_far, b"hello");
    send(&a_far, b"hello");
    for (near, flag) in [(&a, rustix::event::PollFlags::IN), (&c, rustix::event::PollFlags::IN)] {
        arrive(near, flag);
    }
    fill(&b);
    send_urgent(&c_far, &c);
    let all = [&a, &b, &c];
    let (read, write, except) = select(&all, &all, &all, None).expect("a wait");
    let same = |list: &[&std::net::TcpStream], expected: &[&std::net::TcpStream]| {
        assert_eq!(list.len(), expected.len());
        assert!(list.iter().zip(expected).all(|(x, y)| std::ptr::eq(*x, *y)));
    };
    same(&read, &[&a, &c]);
    same(&write, &[&a, &c]);
    same(&except, &[&c]);
}

#[test]
fn nothing_ready_takes_the_whole_timeout() {
    let (near, _far) = pair();
    for list in [&[&near as &dyn AsFd][..], &[]] {
        for micros in [0, 300, 5_000] {
            let timeout = Duration::from_micros(micros);
            let start = Instant::now();
            let (read, write, except) =
                select::<dyn AsFd>(list, &[], list, Some(timeout)).expect("a wait");
            assert!(read.is_empty() && write.is_empty() && except.is_empty());
            assert!(start.elapsed() >= timeout);
        }
    }
}

#[test]
fn a_source_may_stand_in_the_lists_more_than_once() {
    let ((a, a_far), (b, _b_far)) = (pair(), pair());
    send(&a_far, b"hello");
    let (read, write, except) =
        select(&[&a, &b, &a, &a], &[&b, &a, &b], &[&a, &a], None).expect("a wait");
    assert!(read.len() == 3 && read.iter().all(|item| std::ptr::eq(*item, &a)));
    let expected = [&b, &a, &b];
    assert!(write.len() == 3 && write.iter().zip(expected).all(|(x, y)| std::ptr::eq(*x, y)));
    assert!(except.is_empty());
}

#[test]
fn hangups_count_as_ready() {
    let (near, far) = pair();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop((far, reader));
    let (read, write, _) =
        select::<dyn AsFd>(&[&near], &[&writer], &[], Some(PATIENCE)).expect("a wait");
    assert_eq!((read.len(), write.len()), (1, 1));
}
