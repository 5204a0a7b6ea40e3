//! A portable readiness selector.

mod backend;
mod counters;
mod deadline;
mod error;
mod events;
mod interest;
mod key;
#[cfg(all(unix, not(target_os = "illumos")))]
mod lists;
mod notifier;
mod readiness;
mod registration;
mod selector;
mod slots;
mod source;

pub use backend::Backend;
pub use counters::Counters;
pub use error::{Refusal, RegisterError, StaleKey};
pub use events::{Event, Events};
pub use interest::{Interest, Mode};
pub use key::Key;
#[cfg(all(unix, not(target_os = "illumos")))]
pub use lists::select;
pub use notifier::Notifier;
pub use readiness::Readiness;
pub use registration::Registration;
pub use selector::Selector;
pub use source::Source;
