//! The run: turns for whoever has something to do, and jumps of the clock between.

use std::rc::Rc;
use std::time::Duration;

use super::{Failure, FailureKind, Report, Sim, report};
use crate::driver::simulation::{HostId, World};

pub(super) fn run(mut sim: Sim, world: &Rc<World>) -> Result<Report, Box<Failure>> {
    for (id, host) in sim.hosts.iter().enumerate() {
        let added = world.add_host(&host.name);
        debug_assert_eq!(added, id);
        if !host.awaited {
            world.set_restarts(added);
        }
    }
    let mut steps = 0;
    let ended = start(&mut sim, world).and_then(|()| go_on(&mut sim, world, &mut steps));
    let report = report(sim.seed, steps, world);
    ended.map(|()| report.clone()).map_err(|kind| {
        let (trace, struck) = (world.trace().2, world.struck());
        Box::new(Failure { kind, report, trace, struck, repeat: None, shrunk: None })
    })
}

/// Starts services first, and gives each its first turn, so that whom the hosts turn to is there.
fn start(sim: &mut Sim, world: &Rc<World>) -> Result<(), FailureKind> {
    let (awaited, services): (Vec<HostId>, Vec<HostId>) =
        (0..sim.hosts.len()).partition(|id| sim.hosts[*id].awaited);
    for id in services {
        sim.hosts[id].start(world, id);
        sim.hosts[id].turn()?;
    }
    for id in awaited {
        sim.hosts[id].start(world, id);
    }
    Ok(())
}

/// Turns for each host at one moment after which the clock moves on: a task that asks again and again
/// instead of waiting takes time on a real machine too.
const TURNS_AT_ONCE: usize = 64;

/// How far the clock moves then, unless something is due before.
const SPIN: Duration = Duration::from_micros(100);

fn go_on(sim: &mut Sim, world: &Rc<World>, steps: &mut u64) -> Result<(), FailureKind> {
    let mut ready = Vec::new();
    let mut turns_now = 0;
    while sim.hosts.iter().any(|host| host.awaited && !host.ended) {
        let now = world.now();
        ready.clear();
        ready.extend((0..sim.hosts.len()).filter(|id| wants_turn(sim, world, *id) == Some(now)));
        if ready.is_empty() {
            turns_now = 0;
            jump(sim, world)?;
            continue;
        }
        let chosen = ready[world.choose(ready.len())];
        if world.turn_at(chosen) > now {
            continue;
        }
        sim.hosts[chosen].turn()?;
        *steps += 1;
        if *steps >= sim.step_limit {
            return Err(FailureKind::Steps(*steps));
        }
        turns_now += 1;
        if turns_now >= TURNS_AT_ONCE * sim.hosts.len() {
            turns_now = 0;
            advance(sim, world, world.next_event().unwrap_or(Duration::MAX).min(now + SPIN));
        }
    }
    Ok(())
}

/// When the host wants its next turn, unless it waits for news.
fn wants_turn(sim: &Sim, world: &World, id: HostId) -> Option<Duration> {
    let event_loop = sim.hosts[id].event_loop()?;
    let now = world.now();
    let due = if world.has_news(id) { now } else { world.since_start(event_loop.next_deadline()?) };
    Some(due.max(world.busy(id)).max(now))
}

/// Nothing is ready: moves the clock to when something will be.
fn jump(sim: &mut Sim, world: &Rc<World>) -> Result<(), FailureKind> {
    let turns = (0..sim.hosts.len()).filter_map(|id| wants_turn(sim, world, id));
    let restarts = (0..sim.hosts.len()).filter_map(|id| world.down(id));
    let next = turns.chain(restarts).chain(world.next_event()).min();
    let Some(next) = next else {
        return Err(FailureKind::Stuck { waiting: waiting(sim) });
    };
    if next > sim.time_limit {
        return Err(FailureKind::Time(sim.time_limit));
    }
    advance(sim, world, next);
    Ok(())
}

fn advance(sim: &mut Sim, world: &Rc<World>, to: Duration) {
    world.advance(to);
    for id in 0..sim.hosts.len() {
        follow(sim, world, id, to);
    }
}

/// Lets a host's program follow its host, down and up again.
fn follow(sim: &mut Sim, world: &Rc<World>, id: HostId, now: Duration) {
    let Some(until) = world.down(id) else { return };
    let host = &mut sim.hosts[id];
    host.stop();
    if until <= now {
        world.restart(id);
        if !host.ended {
            host.start(world, id);
        }
    }
}

/// Every task of every host, and what it waits for.
fn waiting(sim: &Sim) -> Vec<(String, crate::listing::TaskInfo)> {
    let of = |host: &super::Host| {
        let tasks = host.event_loop().map(crate::EventLoop::tasks).unwrap_or_default();
        let name = host.name.clone();
        tasks.into_iter().map(move |task| (name.clone(), task)).collect::<Vec<_>>()
    };
    sim.hosts.iter().flat_map(of).collect()
}
