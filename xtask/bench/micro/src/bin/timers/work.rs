//! What is done with timers.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use micro::{Figure, clock, memory, shuffle};

use crate::library::Library;
use crate::spread::Spread;

/// Something to do with timers.
pub(crate) trait Work: 'static {
    fn run<L: Library, S: Spread>(size: u64, iterations: u64) -> Figure;
}

/// Sets a timer and cancels it at once, while `size` others wait: as a time limit on something that
/// comes in time.
pub(crate) struct SetAndCancel;

impl Work for SetAndCancel {
    fn run<L: Library, S: Spread>(size: u64, iterations: u64) -> Figure {
        L::run(async move {
            let (start, span) = far::<L>().await;
            let waiting = set_all::<L>(S::deadlines(start, span, 0, size)).await?;
            settle::<L>().await;
            let deadlines = S::deadlines(start, span, size, size + iterations);
            let begin = clock::process();
            let work = |cx: &mut Context<'_>| {
                deadlines.iter().all(|deadline| is_set(pin!(L::until(*deadline)), cx))
            };
            let were_set = with_context(work).await;
            let time = clock::process() - begin;
            drop(waiting);
            expect(were_set, "a timer was not set")?;
            Ok(time / iterations as f64)
        })?
    }
}

/// Sets `size` timers.
pub(crate) struct Set;

impl Work for Set {
    fn run<L: Library, S: Spread>(size: u64, _: u64) -> Figure {
        L::run(async move {
            let (start, span) = far::<L>().await;
            let deadlines = S::deadlines(start, span, 0, size);
            let begin = clock::process();
            let waiting = set_all::<L>(deadlines).await?;
            let time = clock::process() - begin;
            drop(waiting);
            Ok(time / size as f64)
        })?
    }
}

/// The memory of `size` timers: of the future that is held, in a box, and of what waits for it.
pub(crate) struct Memory;

impl Work for Memory {
    fn run<L: Library, S: Spread>(size: u64, _: u64) -> Figure {
        L::run(async move {
            let (start, span) = far::<L>().await;
            let deadlines = S::deadlines(start, span, 0, size);
            let mut held: Vec<Option<Pin<Box<L::Sleep>>>> = (0..size).map(|_| None).collect();
            let before = memory::anonymous()?;
            for (held, deadline) in held.iter_mut().zip(deadlines) {
                *held = Some(set::<L>(deadline).await?);
            }
            let after = memory::anonymous()?;
            drop(held);
            Ok(after.saturating_sub(before) as f64 / size as f64)
        })?
    }
}

/// Cancels one of `size` timers, anywhere among them, and sets a new one: as an idle deadline that is
/// put off.
pub(crate) struct Replace;

impl Work for Replace {
    fn run<L: Library, S: Spread>(size: u64, iterations: u64) -> Figure {
        L::run(async move {
            let (start, span) = far::<L>().await;
            let mut waiting = set_all::<L>(S::deadlines(start, span, 0, size)).await?;
            let mut order: Vec<usize> = (0..waiting.len()).collect();
            shuffle(&mut order);
            settle::<L>().await;
            let deadlines = S::deadlines(start, span, size, size + iterations);
            let begin = clock::process();
            for (place, deadline) in order.iter().cycle().zip(deadlines) {
                waiting[*place] = set::<L>(deadline).await?;
            }
            let time = clock::process() - begin;
            drop(waiting);
            Ok(time / iterations as f64)
        })?
    }
}

/// Cancels `size` timers, not in the order in which they were set.
pub(crate) struct Cancel;

impl Work for Cancel {
    fn run<L: Library, S: Spread>(size: u64, _: u64) -> Figure {
        L::run(async move {
            let (start, span) = far::<L>().await;
            let mut waiting = set_all::<L>(S::deadlines(start, span, 0, size)).await?;
            shuffle(&mut waiting);
            settle::<L>().await;
            let begin = clock::process();
            drop(waiting);
            Ok((clock::process() - begin) / size as f64)
        })?
    }
}

/// Waits until `size` timers have fired: from when all are set to when the last has ended.
pub(crate) struct Fire;

impl Work for Fire {
    fn run<L: Library, S: Spread>(size: u64, iterations: u64) -> Figure {
        L::run(async move {
            let mut time = 0.0;
            for _ in 0..iterations {
                time += fire::<L, S>(size).await?;
            }
            Ok(time / (size * iterations) as f64)
        })?
    }
}

/// All must be set before the first is due. How long that takes is tried.
async fn fire<L: Library, S: Spread>(size: u64) -> Figure {
    let mut lead = Duration::from_nanos(200 * size).max(SHORTEST_LEAD);
    for _ in 0..DOUBLINGS {
        let start = Instant::now() + lead;
        let span = Duration::from_nanos(100 * size);
        let deadlines = S::deadlines(start, span, 0, size);
        let waiting = set_all::<L>(deadlines).await;
        let begin = clock::process();
        if waiting.is_err() || Instant::now() >= start {
            lead *= 2;
            continue;
        }
        // Timers that count in milliseconds fire all of one together.
        L::until(start + span + Duration::from_millis(1)).await;
        let time = clock::process() - begin;
        for mut sleep in waiting? {
            ended::<L>(sleep.as_mut()).await?;
        }
        return Ok(time);
    }
    Err("setting the timers took longer than they were to last".into())
}

/// Polls a timer that has fired: at most twice, because a task whose budget is used up is told so.
async fn ended<L: Library>(mut sleep: Pin<&mut L::Sleep>) -> Result<(), Box<dyn Error>> {
    if with_context(|cx| sleep.as_mut().poll(cx).is_ready()).await {
        return Ok(());
    }
    settle::<L>().await;
    let is_ready = with_context(|cx| sleep.as_mut().poll(cx).is_ready()).await;
    expect(is_ready, "a timer did not fire")
}

/// The shortest time in which some timers may be set.
const SHORTEST_LEAD: Duration = Duration::from_millis(1);

/// How often a longer one is tried.
const DOUBLINGS: u32 = 10;

/// Where deadlines lie that must not come. The loop has turned, and waits for something already: a
/// library may have to ring a bell for the first timer, and for any that is due before the others.
async fn far<L: Library>() -> (Instant, Duration) {
    let start = Instant::now() + Duration::from_secs(1_000);
    let mut first = pin!(L::until(start - Duration::from_secs(1)));
    with_context(|cx| is_set(first.as_mut(), cx)).await;
    settle::<L>().await;
    (start, Duration::from_secs(100))
}

/// Lets the loop turn, and take in what was set.
async fn settle<L: Library>() {
    L::until(Instant::now() + Duration::from_millis(1)).await;
}

async fn set_all<L: Library>(
    deadlines: Vec<Instant>,
) -> Result<Vec<Pin<Box<L::Sleep>>>, Box<dyn Error>> {
    let mut waiting = Vec::with_capacity(deadlines.len());
    for deadline in deadlines {
        waiting.push(set::<L>(deadline).await?);
    }
    Ok(waiting)
}

async fn set<L: Library>(deadline: Instant) -> Result<Pin<Box<L::Sleep>>, Box<dyn Error>> {
    let mut sleep = Box::pin(L::until(deadline));
    expect(with_context(|cx| is_set(sleep.as_mut(), cx)).await, "a timer was not set")?;
    Ok(sleep)
}

fn is_set<F: Future>(sleep: Pin<&mut F>, cx: &mut Context<'_>) -> bool {
    sleep.poll(cx).is_pending()
}

async fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut work = Some(work);
    poll_fn(|cx| match work.take() {
        Some(work) => Poll::Ready(work(cx)),
        None => Poll::Pending,
    })
    .await
}

fn expect(is_so: bool, otherwise: &str) -> Result<(), Box<dyn Error>> {
    if is_so { Ok(()) } else { Err(otherwise.into()) }
}
