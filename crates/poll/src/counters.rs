//! What a selector has done so far.

/// What a selector has done since it was made; see
/// [`Selector::counters`](crate::Selector::counters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Calls of [`Selector::select`](crate::Selector::select).
    pub selects: u64,
    /// System calls that waited; more than `selects` where a wait was interrupted, or brought
    /// nothing that may be reported.
    pub waits: u64,
    /// Waits that a signal interrupted. The native backend resumes by itself and counts none.
    pub interruptions: u64,
    /// Waits that a notification ended.
    pub notifications: u64,
    /// Events reported to the caller.
    pub events: u64,
    /// Events dropped because their registration was gone or disarmed.
    pub stale: u64,
}
