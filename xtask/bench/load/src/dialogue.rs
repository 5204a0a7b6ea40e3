//! What is asked, and what must come back.

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    Hello,
    Echo,
    Pipeline,
    Bulk,
    Churn,
    Idle,
}

impl Scenario {
    pub(crate) fn named(name: &str) -> Option<Scenario> {
        let scenario = match name {
            "hello" => Scenario::Hello,
            "echo" => Scenario::Echo,
            "pipeline" => Scenario::Pipeline,
            "bulk" => Scenario::Bulk,
            "churn" => Scenario::Churn,
            "idle" => Scenario::Idle,
            _ => return None,
        };
        Some(scenario)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::Hello => "hello",
            Scenario::Echo => "echo",
            Scenario::Pipeline => "pipeline",
            Scenario::Bulk => "bulk",
            Scenario::Churn => "churn",
            Scenario::Idle => "idle",
        }
    }

    /// How many requests are sent at once, and count as answered at once.
    pub(crate) fn depth(self) -> u64 {
        if self == Scenario::Pipeline { 16 } else { 1 }
    }

    /// Whether each connection is for one request.
    pub(crate) fn closes(self) -> bool {
        self == Scenario::Churn
    }

    /// The bytes that come back as they are; `None` where hello answers.
    fn echoed(self) -> Option<usize> {
        match self {
            Scenario::Hello | Scenario::Churn | Scenario::Idle => None,
            Scenario::Echo => Some(64),
            Scenario::Pipeline => Some(16 * 64),
            Scenario::Bulk => Some(65_536),
        }
    }
}

/// The requests of a scenario and their answers.
#[derive(Debug)]
pub(crate) enum Dialogue {
    Hello,
    /// What is sent starts at another byte of the noise each time, so that bytes of another
    /// connection, or of the request before, are not taken for the right ones.
    Echo {
        noise: Vec<u8>,
        length: usize,
    },
}

/// Where in the noise a request may start: a prime, so that requests of a power of two differ.
const STARTS: usize = 251;

impl Dialogue {
    pub(crate) fn of(scenario: Scenario) -> Dialogue {
        match scenario.echoed() {
            None => Dialogue::Hello,
            Some(length) => Dialogue::Echo { noise: noise(length + STARTS), length },
        }
    }

    pub(crate) fn request(&self, turn: usize) -> &[u8] {
        match self {
            Dialogue::Hello => b"hello\n",
            Dialogue::Echo { noise, length } => &noise[turn % STARTS..][..*length],
        }
    }

    pub(crate) fn answer(&self, turn: usize) -> &[u8] {
        match self {
            Dialogue::Hello => b"Hello world\n",
            Dialogue::Echo { .. } => self.request(turn),
        }
    }
}

/// Bytes without a pattern, the same in each run: the high byte of a linear congruential generator.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        use Scenario::*;
        for scenario in [Hello, Echo, Pipeline, Bulk, Churn, Idle] {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
        }
        assert_eq!(Scenario::named("hold"), None);
    }

    #[test]
    fn no_request_is_like_another_that_may_be_under_way() {
        for scenario in [Scenario::Echo, Scenario::Pipeline, Scenario::Bulk] {
            let dialogue = Dialogue::of(scenario);
            for turn in 1..STARTS {
                assert_ne!(dialogue.request(0), dialogue.request(turn), "{scenario:?} {turn}");
            }
            assert_eq!(dialogue.answer(3), dialogue.request(3));
        }
    }
}
