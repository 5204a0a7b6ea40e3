//! Connections on their way from the thread that accepts to those that hold them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker, ready};
use std::time::Instant;

use crate::core::here;
use crate::driver::Passing;
use crate::family::Family;
use crate::listing::WaitKind;

/// A connection that no loop watches, and its other side.
pub(super) type Passed<K> = (Passing, <K as Family>::Address);

/// One box for each thread, and what is known of who has room. No code of a user runs, and no socket
/// is closed, while it is locked.
pub(super) struct Mailboxes<K: Family> {
    state: Mutex<State<K>>,
    /// Of each thread, for what comes into its box.
    bells: Vec<Bell>,
    /// Of who accepts, for room.
    room: Bell,
}

struct State<K: Family> {
    boxes: Vec<Mailbox<K>>,
    /// Whose turn it is.
    next: usize,
    /// Connections that all may hold together.
    max_connections: usize,
    /// Set once, when nothing will come any more: until when connections may finish.
    closed: Option<Option<Instant>>,
}

struct Mailbox<K: Family> {
    passed: VecDeque<Passed<K>>,
    /// Connections in the box, and those that its thread holds.
    held: usize,
    /// How many those may be.
    share: usize,
    /// Cleared when the thread has died.
    alive: bool,
}

impl<K: Family> Mailboxes<K> {
    /// For `threads` threads, which share `max_connections` evenly.
    pub(super) fn new(threads: usize, max_connections: usize) -> Mailboxes<K> {
        let empty = || Mailbox { passed: VecDeque::new(), held: 0, share: 0, alive: true };
        let boxes = (0..threads).map(|_| empty()).collect();
        let mut state = State { boxes, next: 0, max_connections, closed: None };
        state.share_out();
        let bells = (0..threads).map(|_| Bell::default()).collect();
        Mailboxes { state: Mutex::new(state), bells, room: Bell::default() }
    }

    /// Waits until some thread has room. It stays until a connection is posted: meanwhile others end,
    /// and none begins.
    pub(super) async fn room(&self) {
        self.room.until(|| self.lock().turn().map(drop)).await;
    }

    /// Puts a connection into the box of the thread whose turn it is, which has room.
    pub(super) fn post(&self, connection: Passed<K>) {
        let thread = self.lock().post(connection);
        self.bells[thread].ring();
    }

    /// The next connection for a thread; none once the boxes are closed and its own is empty.
    pub(super) async fn next(&self, thread: usize) -> Option<Passed<K>> {
        let next = || {
            let mut state = self.lock();
            match state.boxes[thread].passed.pop_front() {
                None if state.closed.is_none() => None,
                last => Some(last),
            }
        };
        self.bells[thread].until(next).await
    }

    /// A connection that a thread has taken out of its box has ended: there is room for another one.
    pub(super) fn left(&self, thread: usize) {
        self.lock().boxes[thread].held -= 1;
        self.room.ring();
    }

    /// Nothing comes any more; connections may finish until `deadline`, if there is one.
    pub(super) fn close(&self, deadline: Option<Instant>) {
        self.lock().closed = Some(deadline);
        self.bells.iter().for_each(Bell::ring);
    }

    /// Until when connections may finish, once it is closed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().closed.flatten()
    }

    /// Spreads the share of a thread that has died, and what is in its box, over the others. Once it
    /// is closed, they may not look any more, and what was in the box is given up.
    pub(super) fn bury(&self, thread: usize) {
        let mut given_up = VecDeque::new();
        let mut posted = Vec::new();
        {
            let mut state = self.lock();
            let buried = &mut state.boxes[thread];
            (buried.alive, buried.held) = (false, 0);
            let left = std::mem::take(&mut buried.passed);
            state.share_out();
            if state.closed.is_some() {
                given_up = left;
            } else {
                posted.extend(left.into_iter().map(|connection| state.post(connection)));
            }
        }
        drop(given_up);
        posted.into_iter().for_each(|thread| self.bells[thread].ring());
        self.room.ring();
    }

    /// How many connections all threads hold or will.
    pub(super) fn held(&self) -> usize {
        self.lock().boxes.iter().map(|mailbox| mailbox.held).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Family> State<K> {
    /// Gives each living thread the same share, give or take one.
    fn share_out(&mut self) {
        let living = self.boxes.iter().filter(|mailbox| mailbox.alive).count();
        let (each, rest) = (self.max_connections / living, self.max_connections % living);
        let alive = self.boxes.iter_mut().filter(|mailbox| mailbox.alive);
        for (number, mailbox) in alive.enumerate() {
            mailbox.share = each + usize::from(number < rest);
        }
    }

    /// Whose turn it is: in rotation, but for those without room.
    fn turn(&self) -> Option<usize> {
        let has_room = |thread: &usize| {
            let mailbox = &self.boxes[*thread];
            mailbox.alive && mailbox.held < mailbox.share
        };
        (self.next..self.boxes.len()).chain(0..self.next).find(has_room)
    }

    /// Who posts has waited for room. Where it comes out of the box of a thread that has died, that
    /// one's share is more than what was in there.
    fn post(&mut self, connection: Passed<K>) -> usize {
        let thread = self.turn().expect("there is room for what is accepted");
        self.next = (thread + 1) % self.boxes.len();
        let mailbox = &mut self.boxes[thread];
        mailbox.held += 1;
        mailbox.passed.push_back(connection);
        thread
    }
}

/// Wakes one task on whichever thread. Its waker may be a user's code: it is cloned, called and
/// dropped without the lock.
#[derive(Default)]
struct Bell(Mutex<Option<Waker>>);

impl Bell {
    fn ring(&self) {
        let waker = self.lock().take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits until there is news. Who has news rings afterwards.
    async fn until<T>(&self, news: impl Fn() -> Option<T>) -> T {
        hear(|waker| {
            // The waker is left before the last look: what comes in between finds it.
            let heard = news().or_else(|| {
                self.leave(waker);
                news()
            });
            heard.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn leave(&self, waker: &Waker) {
        if self.lock().as_ref().is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        let waker = waker.clone();
        let before = self.lock().replace(waker);
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for another thread. To hear something is one operation of the task's budget.
pub(super) async fn hear<T>(mut poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    let core = here("Server");
    let mut wait = None;
    poll_fn(|cx| {
        ready!(core.spend(cx));
        let heard = poll(cx.waker());
        if heard.is_pending() {
            core.refund();
            wait = core.wait_on(wait.take(), cx, WaitKind::Threads);
        }
        heard
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Inet;

    /// The shares, those of the dead left out.
    fn shares(state: &State<Inet>) -> Vec<usize> {
        let alive = state.boxes.iter().filter(|mailbox| mailbox.alive);
        alive.map(|mailbox| mailbox.share).collect()
    }

    #[test]
    fn shares_are_even_add_up_and_never_shrink() {
        for (threads, max_connections) in [(1, 1), (2, 5), (3, 4), (4, 2), (7, 100), (8, 65_536)] {
            for first in 1..threads {
                let mailboxes = Mailboxes::<Inet>::new(threads, max_connections);
                for dead in (1..threads).map(|number| (number + first) % threads) {
                    let before: Vec<_> =
                        mailboxes.lock().boxes.iter().map(|mailbox| mailbox.share).collect();
                    // The first thread is the one that buries.
                    if dead != 0 {
                        mailboxes.bury(dead);
                    }
                    let state = mailboxes.lock();
                    let shares = shares(&state);
                    assert_eq!(shares.iter().sum::<usize>(), max_connections);
                    assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
                    for (mailbox, before) in state.boxes.iter().zip(before) {
                        assert!(!mailbox.alive || mailbox.share >= before);
                    }
                }
            }
        }
    }
}
