//! Channels between tasks, and between threads and a loop.
#![cfg(feature = "channel")]

mod util;

use std::cell::Cell;
use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::thread;

use futures_lite::future::{block_on, or, poll_once};
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, join, select};
use net::channel::{
    OneshotReceiver, OneshotSender, Receiver, RecvError, SendError, Sender, TryRecvError,
    TrySendError, bounded, oneshot,
};
use net::{BUDGET, Direction, EventLoop, JoinHandle, Wait, WaitKind, sleep, spawn, yield_now};
use util::{Drops, SECOND, panic_of, run, settle};

/// Runs `future` on a loop with a manual clock; afterwards no task may be left.
#[track_caller]
fn run_alone<F: Future + 'static>(future: F) -> F::Output {
    let (event_loop, _) = EventLoop::manual();
    let output = event_loop.run_until(future).expect("a run");
    assert_eq!(event_loop.stats().tasks, 0);
    output
}

fn waits<T>(event_loop: &EventLoop, task: &JoinHandle<T>) -> Vec<Wait> {
    let mut tasks = event_loop.tasks().into_iter();
    tasks.find(|info| info.id == task.id()).expect("it lives").waits
}

/// How many steps `future` takes on a loop where it could go on for ever.
fn steps<F: Future + 'static>(future: F) -> usize {
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    run_alone(async move {
        let mut future = pin!(future);
        poll_fn(|cx| {
            counted.set(counted.get() + 1);
            future.as_mut().poll(cx)
        })
        .await;
    });
    steps.get()
}

#[test]
fn values_come_out_as_they_went_in() {
    let received = run_alone(async {
        let (sender, receiver) = bounded(2);
        let producer = spawn(async move {
            for number in 0..100 {
                sender.send(number).await.expect("somebody receives");
            }
        });
        let mut received = Vec::new();
        while let Ok(number) = receiver.recv().await {
            received.push(number);
        }
        producer.await.expect("it ends");
        received
    });
    assert_eq!(received, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_sender_waits_for_room() {
    let (event_loop, _) = EventLoop::manual();
    let (sender, receiver) = bounded(2);
    let sent = Rc::new(Cell::new(0));
    let seen = Rc::clone(&sent);
    let producer = event_loop.spawn(async move {
        for number in 0..5 {
            sender.send(number).await.expect("somebody receives");
            seen.set(number + 1);
        }
    });
    settle(&event_loop);
    assert_eq!((sent.get(), receiver.len()), (2, 2));
    assert_eq!(receiver.try_recv(), Ok(0));
    settle(&event_loop);
    assert_eq!((sent.get(), receiver.len(), producer.is_finished()), (3, 2, false));
    while receiver.try_recv().is_ok() {
        settle(&event_loop);
    }
    assert!(producer.is_finished() && receiver.is_closed() && receiver.is_empty());
}

#[test]
fn what_cannot_be_sent_comes_back() {
    run_alone(async {
        let (sender, receiver) = bounded(1);
        sender.try_send("first").expect("room");
        assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
        let waiting = spawn({
            let sender = sender.clone();
            async move { sender.send("third").await }
        });
        yield_now().await;
        drop(receiver);
        assert_eq!(waiting.await.expect("it ends"), Err(SendError("third")));
        assert_eq!(sender.send("fourth").await, Err(SendError("fourth")));
        assert_eq!(sender.try_send("fifth"), Err(TrySendError::Closed("fifth")));
        assert!(sender.is_closed() && !sender.close());
    });
}

#[test]
fn a_closed_channel_still_gives_what_it_holds() {
    run_alone(async {
        let (sender, receiver) = bounded(4);
        sender.send(1).await.expect("room");
        sender.send(2).await.expect("room");
        assert!(sender.close() && !receiver.close());
        assert_eq!(sender.send(3).await, Err(SendError(3)));
        assert_eq!(receiver.recv().await, Ok(1));
        assert_eq!(receiver.recv().await, Ok(2));
        assert_eq!(receiver.recv().await, Err(RecvError));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn the_last_of_several_ends_closes_the_channel() {
    run_alone(async {
        let (sender, receiver) = bounded(1);
        let (second_sender, second_receiver) = (sender.clone(), receiver.clone());
        drop((sender, receiver));
        assert!(!second_sender.is_closed());
        assert_eq!(second_receiver.try_recv(), Err(TryRecvError::Empty));
        let waiting = spawn(async move { second_receiver.recv().await });
        yield_now().await;
        drop(second_sender);
        let nothing: Result<u8, _> = waiting.await.expect("it ends");
        assert_eq!(nothing, Err(RecvError));
    });
}

#[test]
fn a_sender_learns_that_nobody_receives() {
    run_alone(async {
        let (sender, receiver) = bounded::<u8>(1);
        let waiting = spawn(async move { sender.closed().await });
        yield_now().await;
        assert!(!waiting.is_finished());
        drop(receiver);
        waiting.await.expect("it ends");
    });
}

#[test]
fn each_value_goes_to_one_receiver() {
    const VALUES: u32 = 1000;
    let (count, distinct) = run_alone(async {
        let (sender, receiver) = bounded(3);
        let (results, all) = bounded(VALUES as usize);
        for first in 0..4 {
            let sender = sender.clone();
            drop(spawn(async move {
                for number in (first..VALUES).step_by(4) {
                    sender.send(number).await.expect("somebody receives");
                }
            }));
            let (receiver, results) = (receiver.clone(), results.clone());
            drop(spawn(async move {
                while let Ok(number) = receiver.recv().await {
                    results.try_send(number).expect("room");
                }
            }));
        }
        drop((sender, receiver, results));
        let all: Vec<u32> = pin!(all).collect().await;
        (all.len(), all.into_iter().collect::<HashSet<u32>>().len())
    });
    assert_eq!((count, distinct), (VALUES as usize, VALUES as usize));
}

#[test]
fn who_finds_its_channel_always_ready_gives_up_the_turn() {
    const VALUES: usize = 10 * BUDGET as usize;
    let full = || {
        let (sender, receiver) = bounded(VALUES);
        (0..VALUES).for_each(|number| sender.try_send(number).expect("room"));
        receiver
    };
    let received = full();
    let receiving = steps(async move { while received.recv().await.is_ok() {} });
    let streamed = full();
    let streaming = steps(async move { assert_eq!(pin!(streamed).count().await, VALUES) });
    let (sender, _room) = bounded(VALUES);
    let sending = steps(async move {
        for number in 0..VALUES {
            sender.send(number).await.expect("room");
        }
    });
    let asking = steps(async {
        for number in 0..VALUES {
            let (sender, receiver) = oneshot();
            sender.send(number).expect("it is there");
            assert_eq!(receiver.await, Ok(number));
        }
    });
    assert_eq!([receiving, streaming, sending, asking], [11, 11, 10, 10]);
}

#[test]
fn more_waits_than_the_budget_rest_until_a_value_comes() {
    let (event_loop, _) = EventLoop::manual();
    let ends: Vec<_> = (0..2 * BUDGET).map(|_| bounded::<u32>(1)).collect();
    let (senders, receivers): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    let task = event_loop.spawn(async move {
        let waits = receivers.iter().map(|receiver| Box::pin(receiver.recv()));
        futures_util::future::select_all(waits).await.0
    });
    settle(&event_loop);
    assert_eq!(waits(&event_loop, &task).len(), 2 * BUDGET as usize);
    senders.last().expect("many").try_send(7).expect("room");
    settle(&event_loop);
    assert!(task.is_finished());
}

#[test]
fn a_wait_is_listed_with_direction_and_name() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let (sender, receiver) = bounded::<u8>(1);
    let (sender, receiver) = (sender.named("jobs"), receiver.named("jobs"));
    sender.try_send(0).expect("room");
    let writing = sender.clone();
    let writer = event_loop.spawn(async move { writing.send(1).await });
    let (unnamed, empty) = bounded::<u8>(1);
    let reader = event_loop.spawn(async move { empty.recv().await });
    let (_question, answer) = oneshot::<u8>();
    let asker = event_loop.spawn(answer);
    settle(&event_loop);
    clock.advance(SECOND);
    let wait = waits(&event_loop, &writer).remove(0);
    let name = Some("jobs".into());
    assert_eq!(wait.kind, WaitKind::Channel { direction: Direction::Write, name });
    assert_eq!((wait.since, wait.lasted), (Some(start), SECOND));
    assert_eq!(wait.kind.to_string(), "to send to the channel jobs");
    let wait = waits(&event_loop, &reader).remove(0);
    assert_eq!(wait.kind.to_string(), "to receive from a channel");
    assert_eq!(waits(&event_loop, &asker).remove(0).kind, wait.kind);
    drop((sender, receiver, unnamed));
}

#[test]
fn a_wait_that_was_given_up_is_not_listed() {
    let (event_loop, _) = EventLoop::manual();
    let (_sender, receiver) = bounded::<u8>(1);
    let task = event_loop.spawn(async move {
        assert!(poll_once(receiver.recv()).await.is_none());
        or(receiver.recv().map(|_| ()), yield_now()).await;
        sleep(SECOND).await;
    });
    settle(&event_loop);
    let kinds: Vec<_> = waits(&event_loop, &task).into_iter().map(|wait| wait.kind).collect();
    assert!(matches!(kinds[..], [WaitKind::Deadline(_)]), "{kinds:?}");
}

#[test]
fn a_send_that_is_dropped_drops_its_value_and_no_other() {
    let drops = Drops::default();
    let (event_loop, _) = EventLoop::manual();
    let (sender, receiver) = bounded(1);
    sender.try_send(drops.token()).expect("room");
    let waiting = event_loop.spawn({
        let (sender, token) = (sender.clone(), drops.token());
        async move { sender.send(token).await }
    });
    settle(&event_loop);
    assert!(waiting.cancel());
    assert_eq!(drops.count(), 1);
    let kept = receiver.try_recv().expect("the first is there");
    assert!(receiver.is_empty());
    drop(kept);
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_receive_that_is_dropped_leaves_the_value_to_the_next() {
    let (event_loop, _) = EventLoop::manual();
    let (sender, receiver) = bounded(1);
    let receive = |receiver: Receiver<u8>| async move { receiver.recv().await };
    let first = event_loop.spawn(receive(receiver.clone()));
    let mut second = event_loop.spawn(receive(receiver));
    settle(&event_loop);
    // The first has been told of the value when it is cancelled.
    sender.try_send(5).expect("room");
    assert!(first.cancel());
    settle(&event_loop);
    let received = second.try_join().expect("it ended").expect("it was not cancelled");
    assert_eq!(received, Ok(5));
}

#[test]
fn a_oneshot_carries_one_value() {
    run_alone(async {
        let (sender, receiver) = oneshot();
        let asked = spawn(receiver);
        yield_now().await;
        sender.send("answer").expect("somebody waits");
        assert_eq!(asked.await.expect("it ends"), Ok("answer"));

        let (sender, mut receiver) = oneshot();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert!(poll_once(&mut receiver).await.is_none());
        sender.send("answer").expect("somebody waits");
        assert_eq!((&mut receiver).await, Ok("answer"));
        assert_eq!(receiver.await, Err(RecvError), "it was taken");
    });
}

#[test]
fn a_oneshot_tells_each_end_that_the_other_is_gone() {
    run_alone(async {
        let (sender, receiver) = oneshot::<u8>();
        let asked = spawn(receiver);
        yield_now().await;
        drop(sender);
        assert_eq!(asked.await.expect("it ends"), Err(RecvError));

        let (sender, receiver) = oneshot::<u8>();
        assert!(poll_once(sender.closed()).await.is_none());
        drop(receiver);
        sender.closed().await;
        assert!(sender.is_closed());
        assert_eq!(sender.send(9), Err(SendError(9)));
    });
}

#[test]
fn threads_send_into_a_loop() {
    const EACH: u64 = 500;
    let event_loop = EventLoop::new().expect("a loop");
    let (sender, receiver) = bounded(4);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || {
                (1..=EACH).for_each(|number| sender.send_blocking(number).expect("room comes"));
            })
        })
        .collect();
    drop(sender);
    let sum =
        run(
            &event_loop,
            async move { pin!(receiver).fold(0, |sum, n| async move { sum + n }).await },
        );
    assert_eq!(sum, 3 * EACH * (EACH + 1) / 2);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn a_loop_sends_to_threads_and_gets_answers() {
    let event_loop = EventLoop::new().expect("a loop");
    let (questions, asked) = bounded::<(u32, OneshotSender<u32>)>(1);
    let worker = thread::spawn(move || {
        while let Ok((number, answer)) = asked.recv_blocking() {
            answer.send(number * number).expect("somebody waits");
        }
    });
    let answers = run(&event_loop, async move {
        let mut answers = Vec::new();
        for number in 1..=5 {
            let (sender, answer) = oneshot();
            questions.send((number, sender)).await.expect("a worker");
            answers.push(answer.await.expect("an answer"));
        }
        answers
    });
    assert_eq!(answers, [1, 4, 9, 16, 25]);
    worker.join().expect("no panic");
}

#[test]
fn two_loops_on_two_threads_talk() {
    let (sender, receiver) = bounded(1);
    let (reply, replied) = oneshot();
    let other = thread::spawn(move || {
        let event_loop = EventLoop::new().expect("a loop");
        run(&event_loop, async move {
            let numbers: Vec<u32> = pin!(receiver).collect().await;
            reply.send(numbers.len()).expect("somebody waits");
        });
    });
    let event_loop = EventLoop::new().expect("a loop");
    let count = run(&event_loop, async move {
        for number in 0..100 {
            sender.send(number).await.expect("the other loop");
        }
        drop(sender);
        replied.await
    });
    assert_eq!(count, Ok(100));
    other.join().expect("no panic");
}

#[test]
fn blocking_inside_a_task_is_refused() {
    let (event_loop, _) = EventLoop::manual();
    // Nothing here would have to wait.
    let (sender, receiver) = bounded::<u8>(2);
    sender.try_send(0).expect("room");
    let (_, answer) = oneshot::<u8>();
    let said = event_loop.run_until(async move {
        [
            panic_of(|| sender.send_blocking(1)),
            panic_of(|| receiver.recv_blocking()),
            panic_of(|| answer.recv_blocking()),
        ]
    });
    for said in said.expect("a run") {
        assert!(said.ends_with("inside a task would stop the event loop"), "{said}");
    }
    // Between turns the thread is its own master.
    let (sender, receiver) = bounded::<u8>(1);
    event_loop.enter(|| {
        sender.send_blocking(1).expect("room");
        assert_eq!(receiver.recv_blocking(), Ok(1));
    });
}

#[test]
fn a_loop_that_goes_closes_its_ends() {
    let (event_loop, _) = EventLoop::manual();
    let (sender, receiver) = bounded::<u8>(1);
    drop(event_loop.spawn(async move { receiver.recv().await }));
    settle(&event_loop);
    drop(event_loop);
    assert_eq!(sender.send_blocking(1), Err(SendError(1)));
}

#[test]
fn channels_work_in_sets_selects_and_joins() {
    run_alone(async {
        let (sender, receiver) = bounded::<u32>(1);
        let set: FuturesUnordered<_> = (0..100).map(|number| sender.send(number)).collect();
        let stream = pin!(receiver.clone());
        let (sent, received) = join!(set.count(), stream.take(100).count());
        assert_eq!((sent, received), (100, 100));
        let mut late = pin!(receiver.recv().fuse());
        let mut soon = pin!(sleep(SECOND).fuse());
        select! {
            _ = late => panic!("nothing was sent"),
            () = soon => {}
        }
        let timed = net::timeout(SECOND, receiver.recv()).await;
        assert_eq!(timed, Err(net::Elapsed));
    });
}

#[test]
fn channels_work_under_another_executor() {
    let (sender, receiver) = bounded(1);
    let thread = thread::spawn(move || {
        block_on(async move {
            for number in 0..10 * BUDGET {
                sender.send(number).await.expect("somebody receives");
            }
        });
    });
    assert_eq!(block_on(pin!(receiver).count()), 10 * BUDGET as usize);
    thread.join().expect("no panic");
}

#[test]
fn a_wait_that_moves_to_another_thread_ends_there() {
    let (event_loop, _) = EventLoop::manual();
    let (sender, receiver) = bounded::<u8>(1);
    let receiver: &'static Receiver<u8> = Box::leak(Box::new(receiver));
    let (moved, moving) = bounded(1);
    let task = event_loop.spawn(async move {
        let mut wait = Box::pin(receiver.recv());
        assert!(poll_once(wait.as_mut()).await.is_none());
        moved.try_send(wait).expect("room");
        sleep(SECOND).await;
    });
    settle(&event_loop);
    let wait = moving.try_recv().expect("it was sent");
    let thread = thread::spawn(move || block_on(wait));
    sender.try_send(3).expect("room");
    assert_eq!(thread.join().expect("no panic"), Ok(3));
    assert_eq!(waits(&event_loop, &task).len(), 2, "as the docs say");
    event_loop.run().expect("a run");
    let next = event_loop.spawn(async { sleep(SECOND).await });
    settle(&event_loop);
    assert_eq!(waits(&event_loop, &next).len(), 1);
}

#[test]
fn ends_and_waits_go_wherever_their_values_may() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_sync<T: Sync>() {}
    let (sender, receiver) = is_send(bounded::<Cell<u8>>(1));
    drop(is_send(sender.send(Cell::new(1))));
    drop(is_send(receiver.recv()));
    drop(is_send(sender.closed()));
    drop(is_send(oneshot::<Cell<u8>>()));
    is_sync::<(Sender<Cell<u8>>, Receiver<Cell<u8>>)>();
    is_sync::<(OneshotSender<Cell<u8>>, OneshotReceiver<Cell<u8>>)>();
}
