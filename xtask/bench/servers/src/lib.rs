//! The servers that hello and echo are compared with.
