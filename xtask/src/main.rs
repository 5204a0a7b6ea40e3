//! Runs everything that proves the project.

fn main() {}
