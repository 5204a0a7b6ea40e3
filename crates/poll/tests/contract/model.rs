//! Random use against a naive model of level and one-shot readiness.

use std::rc::Rc;

use poll::{Backend, Interest, Key, Mode, Readiness, Selector};
use proptest::prelude::*;

use crate::util::*;

const SOURCES: usize = 4;

#[derive(Debug, Clone)]
enum Action {
    Register(usize, Interest, Mode),
    Modify(usize, Option<Interest>),
    Unregister(usize),
    Discard(usize),
    /// The far end writes a few bytes.
    Send(usize),
    /// The near end reads all there is.
    Drain(usize),
    /// The near end writes until nothing more fits.
    Fill(usize),
    /// The far end reads all there is.
    Empty(usize),
    HangUp(usize),
    Notify,
}

/// A socket as the model sees it.
struct Modelled {
    near: Rc<Stream>,
    far: Option<Stream>,
    has_bytes: bool,
    is_full: bool,
    registration: Option<(Key, Option<Interest>, Mode)>,
}

impl Modelled {
    fn new() -> Self {
        let (near, far) = pair();
        let (near, far) = (Rc::new(near), Some(far));
        Self { near, far, has_bytes: false, is_full: false, registration: None }
    }

    /// The directions that a look must report.
    fn ready(&self, interest: Interest) -> Readiness {
        let mut ready = Readiness::EMPTY;
        if interest.is_readable() && (self.has_bytes || self.far.is_none()) {
            ready |= Readiness::READ;
        }
        if interest.is_writable() && (!self.is_full || self.far.is_none()) {
            ready |= Readiness::WRITE;
        }
        ready
    }
}

struct World {
    selector: Selector<Rc<Stream>, usize>,
    sources: Vec<Modelled>,
    /// Keys whose registrations are gone.
    stale: Vec<Key>,
}

impl World {
    fn new(backend: Backend) -> Self {
        let sources = (0..SOURCES).map(|_| Modelled::new()).collect();
        Self { selector: selector(backend), sources, stale: Vec::new() }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Register(at, interest, mode) => self.register(at, interest, mode),
            Action::Modify(at, interest) => self.modify(at, interest),
            Action::Unregister(at) => self.leave(at, |selector, key| selector.unregister(key).ok()),
            Action::Discard(at) => self.leave(at, Selector::discard),
            Action::Notify => self.selector.notifier().notify().expect("notified"),
            Action::Send(at) => {
                let source = &mut self.sources[at];
                if let Some(far) = &source.far
                    && !source.has_bytes
                {
                    send(far, b"hello");
                    source.has_bytes = true;
                }
            }
            Action::Drain(at) => {
                drain(&*self.sources[at].near);
                self.sources[at].has_bytes = false;
            }
            Action::Fill(at) => {
                if self.sources[at].far.is_some() {
                    fill(&*self.sources[at].near);
                    self.sources[at].is_full = true;
                }
            }
            Action::Empty(at) => {
                if let Some(far) = &self.sources[at].far {
                    drain(far);
                    self.sources[at].is_full = false;
                }
            }
            Action::HangUp(at) => self.sources[at].far = None,
        }
    }

    fn register(&mut self, at: usize, interest: Interest, mode: Mode) {
        let source = &mut self.sources[at];
        let result = self.selector.register_with(Rc::clone(&source.near), interest, mode, at);
        match source.registration {
            None => source.registration = Some((result.expect("room"), Some(interest), mode)),
            Some(_) => assert_eq!(result.expect_err("registered twice").into_parts().2, at),
        }
    }

    fn modify(&mut self, at: usize, interest: Option<Interest>) {
        if let Some((key, present, _)) = &mut self.sources[at].registration {
            self.selector.modify(*key, interest).expect("modified");
            *present = interest;
        }
    }

    fn leave(
        &mut self,
        at: usize,
        leave: impl FnOnce(&mut Selector<Rc<Stream>, usize>, Key) -> Option<(Rc<Stream>, usize)>,
    ) {
        if let Some((key, ..)) = self.sources[at].registration.take() {
            let (source, data) = leave(&mut self.selector, key).expect("registered");
            assert!(Rc::ptr_eq(&source, &self.sources[at].near) && data == at);
            self.stale.push(key);
        }
    }

    /// What the selector says and holds is what the model says and holds.
    fn compare(&mut self) {
        let mut expected = Vec::new();
        for source in &mut self.sources {
            if let Some((key, Some(interest), mode)) = source.registration {
                let ready = source.ready(interest);
                if !ready.is_empty() {
                    expected.push((key, ready));
                    let is_left = mode != Mode::OneShot;
                    source.registration = Some((key, is_left.then_some(interest), mode));
                }
            }
        }
        let directions = Readiness::READ | Readiness::WRITE;
        let mut found: Vec<_> = look(&mut self.selector)
            .iter()
            .map(|event| (event.key, event.readiness & directions))
            .collect();
        found.sort_by_key(|(key, _)| *key);
        expected.sort_by_key(|(key, _)| *key);
        assert_eq!(found, expected);
        self.compare_registrations();
    }

    fn compare_registrations(&mut self) {
        for (at, source) in self.sources.iter().enumerate() {
            if let Some((key, interest, mode)) = source.registration {
                let found = self.selector.get(key).expect("registered");
                assert_eq!((*found.data(), found.interest(), found.mode()), (at, interest, mode));
            }
        }
        let registered = self.sources.iter().filter(|source| source.registration.is_some());
        assert_eq!(self.selector.len(), registered.count());
        assert_eq!(self.selector.iter().count(), self.selector.len());
        for &key in &self.stale {
            assert!(self.selector.get(key).is_none());
            assert!(self.selector.discard(key).is_none());
            assert_eq!(kind(self.selector.modify(key, None)), Some(std::io::ErrorKind::NotFound));
        }
    }
}

fn interest() -> impl Strategy<Value = Interest> {
    prop_oneof![Just(Interest::READ), Just(Interest::WRITE), Just(Interest::READ | Interest::WRITE),]
}

fn action() -> impl Strategy<Value = Action> {
    let at = 0..SOURCES;
    let mode = prop_oneof![Just(Mode::Level), Just(Mode::OneShot)];
    prop_oneof![
        3 => (at.clone(), interest(), mode).prop_map(|(at, i, m)| Action::Register(at, i, m)),
        3 => (at.clone(), interest()).prop_map(|(at, i)| Action::Modify(at, Some(i))),
        1 => at.clone().prop_map(|at| Action::Modify(at, None)),
        1 => at.clone().prop_map(Action::Unregister),
        1 => at.clone().prop_map(Action::Discard),
        3 => at.clone().prop_map(Action::Send),
        2 => at.clone().prop_map(Action::Drain),
        1 => at.clone().prop_map(Action::Fill),
        1 => at.clone().prop_map(Action::Empty),
        1 => at.prop_map(Action::HangUp),
        1 => Just(Action::Notify),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_use_is_as_the_model_says(actions in prop::collection::vec(action(), 1..40)) {
        on_every_backend(|backend| {
            let mut world = World::new(backend);
            for action in &actions {
                world.act(action);
                world.compare();
            }
        });
    }
}
