//! Generators, queues, selectors and timers beside their peers.
