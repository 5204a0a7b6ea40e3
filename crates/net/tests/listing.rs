//! The listing of tasks: what each waits for, since when; and the tasks of a loop that is stuck.

mod util;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use net::{
    Direction, EventLoop, JoinHandle, RunError, TaskGroup, TaskInfo, TaskState, Wait, WaitKind,
};
use util::{SECOND, connected, hold, run, stuck};

fn turn(event_loop: &EventLoop) {
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
}

fn info<T>(event_loop: &EventLoop, task: &JoinHandle<T>) -> TaskInfo {
    let mut tasks = event_loop.tasks().into_iter();
    tasks.find(|info| info.id == task.id()).expect("it lives")
}

#[track_caller]
fn only_wait<T>(event_loop: &EventLoop, task: &JoinHandle<T>) -> Wait {
    let info = info(event_loop, task);
    assert_eq!((info.state, info.waits.len()), (TaskState::Parked, 1));
    info.waits[0].clone()
}

#[test]
fn a_task_that_is_ready_waits_for_nothing() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(async {}).named("eager");
    let info = info(&event_loop, &task);
    assert_eq!((info.state, info.waits.len()), (TaskState::Queued, 0));
    assert_eq!(info.to_string(), format!("task {} (eager) is queued", task.id()));
}

#[test]
fn a_wait_for_a_socket_names_direction_and_addresses() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, far) = run(&event_loop, connected());
    let (local, peer) = (near.local_addr().ok(), near.peer_addr().ok());
    let reader = event_loop.spawn(async move { near.chunk().await.map(drop) });
    turn(&event_loop);
    let wait = only_wait(&event_loop, &reader);
    let direction = Direction::Read;
    assert_eq!(
        wait.kind,
        WaitKind::Socket { direction, local: local.map(Into::into), peer: peer.map(Into::into) }
    );
    assert!(wait.since.is_some());
    let text = info(&event_loop, &reader).to_string();
    let peer = far.local_addr().expect("an address");
    let start = format!("task {} waits to read {peer} for ", reader.id());
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn a_listener_is_named_by_its_own_address() {
    let event_loop = EventLoop::new().expect("a loop");
    let listener = event_loop.enter(util::listener);
    let address = listener.local_addr().expect("an address");
    let task = event_loop.spawn(async move { listener.accept().await.map(drop) });
    turn(&event_loop);
    let text = info(&event_loop, &task).to_string();
    assert!(text.contains(&format!("waits to read {address} for ")), "{text}");
}

#[test]
fn a_writer_without_room_waits_to_write() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, _far) = run(&event_loop, connected());
    let peer = near.peer_addr().expect("an address");
    let task = event_loop.spawn(async move { near.write_all(&vec![0; 64 << 20]).await });
    turn(&event_loop);
    let text = info(&event_loop, &task).to_string();
    assert!(text.contains(&format!("waits to write {peer} for ")), "{text}");
}

#[test]
fn a_wait_says_since_when_and_for_how_long() {
    let (event_loop, clock) = EventLoop::manual();
    clock.advance(SECOND);
    let since = clock.now();
    let task = event_loop.spawn(async { net::sleep(5 * SECOND).await });
    turn(&event_loop);
    clock.advance(2 * SECOND);
    let wait = only_wait(&event_loop, &task);
    let expected = (WaitKind::Deadline(since + 5 * SECOND), Some(since), 2 * SECOND);
    assert_eq!((wait.kind, wait.since, wait.lasted), expected);
    let text = format!("task {} waits until a deadline for 2s", task.id());
    assert_eq!(info(&event_loop, &task).to_string(), text);
}

#[test]
fn a_join_names_the_task_and_keeps_its_beginning_over_other_wakes() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let other = event_loop.spawn(hold(()));
    let other_id = other.id();
    let task = event_loop.spawn(async move { other.await.map_err(drop) });
    turn(&event_loop);
    clock.advance(SECOND);
    task.waker().expect("it lives").wake();
    turn(&event_loop);
    clock.advance(SECOND);
    let wait = only_wait(&event_loop, &task);
    assert_eq!((wait.kind, wait.since), (WaitKind::Join(other_id), Some(start)));
    let text = info(&event_loop, &task).to_string();
    let expected = format!("task {} waits until task {other_id} ends for 2s", task.id());
    assert_eq!(text, expected);
}

#[test]
fn a_group_wait_says_how_many_are_left() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(async {
        let mut group = TaskGroup::<&str>::new();
        for _ in 0..3 {
            group.spawn_named("member", async {
                hold(()).await;
                Ok(())
            });
        }
        group.wait().await.map_err(|error| error.to_string())
    });
    turn(&event_loop);
    assert_eq!(only_wait(&event_loop, &task).kind, WaitKind::Group(3));
    let text = info(&event_loop, &task).to_string();
    assert!(text.contains("waits until the 3 tasks of a group end"), "{text}");
    let named = |info: &TaskInfo| info.name.as_deref() == Some("member");
    assert_eq!(event_loop.tasks().iter().filter(|info| named(info)).count(), 3);
}

#[test]
fn a_task_lists_all_that_it_waits_for() {
    let (event_loop, clock) = EventLoop::manual();
    let at = clock.now() + SECOND;
    let other = event_loop.spawn(hold(()));
    let other_id = other.id();
    let task = event_loop.spawn(async { net::timeout(SECOND, other).await.map(drop) });
    turn(&event_loop);
    let kinds: Vec<_> = info(&event_loop, &task).waits.into_iter().map(|wait| wait.kind).collect();
    assert_eq!(kinds, [WaitKind::Deadline(at), WaitKind::Join(other_id)]);
    let text = info(&event_loop, &task).to_string();
    assert!(text.contains("a deadline for 0ns, until task"), "{text}");
    event_loop.turn(None).expect("a turn");
    assert!(task.is_finished(), "the wait for the other one is over too");
    assert_eq!(event_loop.tasks().len(), 1);
}

#[test]
fn what_a_foreign_waker_holds_is_listed_as_a_waker() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(async {
        let mut sleeps = FuturesUnordered::new();
        sleeps.push(net::sleep(SECOND));
        sleeps.next().await
    });
    turn(&event_loop);
    let wait = only_wait(&event_loop, &task);
    assert_eq!((wait.kind, wait.since), (WaitKind::Waker, None));
    let text = format!("task {} waits until its waker is called", task.id());
    assert_eq!(info(&event_loop, &task).to_string(), text);
    event_loop.run().expect("a run");
}

#[test]
fn a_task_that_waits_for_a_waker_nobody_holds_is_stuck() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(hold(())).named("lost");
    let id = task.id();
    let error = event_loop.run().expect_err("stuck");
    let said = format!(
        "every task waits for something that cannot come:\n  \
         task {id} (lost) waits until its waker is called"
    );
    assert_eq!(error.to_string(), said);
    assert!(matches!(error, RunError::Stuck(tasks) if tasks.len() == 1));
}

#[test]
fn two_tasks_that_join_each_other_are_stuck_by_name() {
    let (event_loop, _) = EventLoop::manual();
    let first: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let joined = Rc::clone(&first);
    let second = event_loop.spawn(async move {
        let first = joined.take().expect("put there");
        first.await.expect("never");
    });
    let second = second.named("hen");
    let second_id = second.id();
    let task = event_loop.spawn(async move { second.await.expect("never") });
    let first_id = task.id();
    *first.borrow_mut() = Some(task.named("egg"));
    let mut tasks = stuck(event_loop.run());
    tasks.sort_by_key(|info| info.id);
    let waits = |info: &TaskInfo| (info.name.clone(), info.waits[0].kind.clone());
    let expected = [
        (Some("hen".into()), WaitKind::Join(first_id)),
        (Some("egg".into()), WaitKind::Join(second_id)),
    ];
    assert_eq!(tasks.iter().map(waits).collect::<Vec<_>>(), expected);
}

#[test]
fn a_stuck_loop_goes_on_after_its_deadlock_is_broken() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(hold(()));
    assert_eq!(stuck(event_loop.run()).len(), 1);
    assert!(task.cancel());
    event_loop.run().expect("a run");
}

#[test]
fn a_loop_with_a_timer_or_a_socket_is_not_stuck() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    drop(event_loop.spawn(hold(())));
    drop(event_loop.spawn(async { net::sleep(SECOND).await }));
    assert_eq!(stuck(event_loop.run()).len(), 1);
    assert_eq!(clock.now() - start, SECOND);
}
