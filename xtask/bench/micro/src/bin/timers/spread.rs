//! How deadlines lie to each other.

use std::time::{Duration, Instant};

/// Deadlines within `span` from a start on; the same at each call.
pub(crate) trait Spread: 'static {
    /// Those from the one numbered `first` to before the one numbered `end`, of `end` in all.
    fn deadlines(start: Instant, span: Duration, first: u64, end: u64) -> Vec<Instant>;
}

/// Anywhere.
pub(crate) struct Random;

/// All at the end of the span.
pub(crate) struct Same;

/// One after the other, evenly: as timers of one length are that are set as time goes by.
pub(crate) struct Increasing;

impl Spread for Random {
    fn deadlines(start: Instant, span: Duration, first: u64, end: u64) -> Vec<Instant> {
        // Marsaglia's xorshift. Others for another first.
        let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ first;
        let deadline = |_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            start + Duration::from_nanos(random % nanoseconds(span))
        };
        (first..end).map(deadline).collect()
    }
}

impl Spread for Same {
    fn deadlines(start: Instant, span: Duration, first: u64, end: u64) -> Vec<Instant> {
        (first..end).map(|_| start + span).collect()
    }
}

impl Spread for Increasing {
    fn deadlines(start: Instant, span: Duration, first: u64, end: u64) -> Vec<Instant> {
        let step = nanoseconds(span) / end.max(1);
        (first..end).map(|number| start + Duration::from_nanos(number * step)).collect()
    }
}

fn nanoseconds(span: Duration) -> u64 {
    span.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(100);

    fn check<S: Spread>() -> Vec<Instant> {
        let start = Instant::now();
        let (all, later) =
            (S::deadlines(start, SPAN, 0, 1000), S::deadlines(start, SPAN, 1000, 2000));
        assert_eq!((all.len(), later.len()), (1000, 1000));
        let within = |deadline: &Instant| (start..=start + SPAN).contains(deadline);
        assert!(all.iter().chain(&later).all(within));
        assert_eq!(all, S::deadlines(start, SPAN, 0, 1000));
        all
    }

    #[test]
    fn deadlines_lie_as_they_are_called() {
        let random = check::<Random>();
        let earlier = random.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((300..700).contains(&earlier), "{earlier}");
        assert!(check::<Same>().windows(2).all(|pair| pair[0] == pair[1]));
        assert!(check::<Increasing>().windows(2).all(|pair| pair[0] < pair[1]));
    }
}
