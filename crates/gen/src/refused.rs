//! The error of an operation that the generator's state does not allow.

use core::error::Error;
use core::fmt;

use crate::State;

/// A generator did not take a value, because of the state it was in. The value comes back in the error.
///
/// ```
/// use core::pin::pin;
/// use generator::{Gen, Generator, State};
///
/// let mut echo = pin!(Gen::new(|co| async move {
///     let mut heard = String::new();
///     loop {
///         heard = co.yield_(heard).await;
///     }
/// }));
/// let refused = echo.as_mut().send("hello".to_string()).unwrap_err();
/// assert_eq!(refused.to_string(), "cannot send a value to a just-started generator");
/// assert_eq!(refused.state(), State::Created);
/// assert_eq!(refused.into_value(), "hello");
/// # type Step = generator::Step<String, ()>;
/// # let _: Step = echo.start().unwrap();
/// ```
pub struct Refused<V> {
    pub(crate) value: V,
    pub(crate) state: State,
}

impl<V> Refused<V> {
    /// The state in which the generator was, and still is.
    pub fn state(&self) -> State {
        self.state
    }

    /// The value that was not taken; `()` where there was none.
    pub fn into_value(self) -> V {
        self.value
    }
}

impl<V> fmt::Display for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Created => "cannot send a value to a just-started generator",
            State::Running => "the generator is already executing",
            State::Suspended => "the generator has been started already",
            State::Closed => "the generator is closed",
        })
    }
}

impl<V> fmt::Debug for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<V> Error for Refused<V> {}
