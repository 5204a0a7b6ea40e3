//! What is done with a watcher.

use std::error::Error;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use micro::{Figure, clock};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::write;

use crate::watcher::Watcher;

/// Kept open for as long as they are watched, and longer.
type Sources = Vec<Rc<OwnedFd>>;

/// Looks at one source that is not ready.
pub(crate) fn idle<W: Watcher>(waits: u64) -> Figure {
    let (mut watcher, _sources) = watch::<W>(1)?;
    let mut seen = 0;
    let mut failed = None;
    let time = clock::time(|| {
        for _ in 0..waits {
            match watcher.look() {
                Ok(ready) => seen += ready,
                Err(error) => failed = Some(error),
            }
        }
    });
    match failed {
        Some(error) => Err(error.into()),
        None if seen > 0 => Err(format!("{seen} times something was ready").into()),
        None => Ok(time / waits as f64),
    }
}

/// Looks while `ready` of so many registered sources are: what an event costs.
pub(crate) fn ready<W: Watcher>(ready: u64, registered: u64, waits: u64) -> Figure {
    let (mut watcher, sources) = watch::<W>(registered)?;
    // All over the table.
    let stride = (registered / ready.max(1)).max(1) as usize;
    let chosen: Vec<&OwnedFd> =
        sources.iter().step_by(stride).take(ready as usize).map(Rc::as_ref).collect();
    if chosen.len() as u64 != ready {
        return Err(format!("{ready} of {registered} cannot be ready").into());
    }
    make_room(&mut watcher, &chosen)?;
    let clock = clock_itself();
    let mut time = 0.0;
    for _ in 0..waits {
        ring(&chosen)?;
        let mut seen = Ok(0);
        time += clock::time(|| seen = watcher.look()) - clock;
        let seen = seen?;
        if seen != chosen.len() {
            return Err(format!("{ready} were to be ready, {seen} were seen").into());
        }
    }
    Ok(time / (waits * ready) as f64)
}

/// Lets a watcher whose buffer grows with what it sees grow it.
fn make_room<W: Watcher>(watcher: &mut W, sources: &[&OwnedFd]) -> Result<(), Box<dyn Error>> {
    for _ in 0..GROWTHS {
        ring(sources)?;
        if watcher.look()? == sources.len() {
            return Ok(());
        }
    }
    Err("what is ready was not seen".into())
}

/// How often a buffer may grow.
const GROWTHS: u32 = 20;

fn ring(sources: &[&OwnedFd]) -> rustix::io::Result<()> {
    sources.iter().try_for_each(|source| write(source, &1_u64.to_ne_bytes()).map(drop))
}

/// Registers one more source than so many, and unregisters it.
pub(crate) fn register<W: Watcher>(registered: u64, pairs: u64) -> Figure {
    let (mut watcher, _sources) = watch::<W>(registered)?;
    let source = source()?;
    let number = registered as usize;
    let mut failed = None;
    let time = clock::time(|| {
        for _ in 0..pairs {
            let pair =
                watcher.register(&source, number).and_then(|key| watcher.unregister(&source, key));
            failed = failed.take().or(pair.err());
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(time / pairs as f64),
    }
}

/// So many sources, each registered.
fn watch<W: Watcher>(count: u64) -> Result<(W, Sources), Box<dyn Error>> {
    if count > FEW {
        net::raise_descriptor_limit()?;
    }
    let mut watcher = W::open(count.max(1) as usize)?;
    let sources = (0..count).map(|_| source()).collect::<Result<Sources, _>>()?;
    for (number, source) in sources.iter().enumerate() {
        watcher.register(source, number)?;
    }
    Ok((watcher, sources))
}

fn source() -> rustix::io::Result<Rc<OwnedFd>> {
    eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Rc::new)
}

/// What reading the clock twice takes of a time that it measures.
fn clock_itself() -> f64 {
    let times: f64 = (0..CLOCK_READINGS).map(|_| clock::time(|| ())).sum();
    times / f64::from(CLOCK_READINGS)
}

const CLOCK_READINGS: u32 = 1_000;

/// So many descriptors every process may have.
const FEW: u64 = 500;
