//! Two generators take turns: the whole of fair scheduling in one loop.
//!
//! Run it:     cargo run -p examples --bin round_robin
//! Try this:   add a third generator, and see where its values appear.

use std::pin::Pin;

use generator::{Gen, Resumable};
use sched::RoundRobin;

type Task = Pin<Box<dyn Resumable<Yield = String, Return = ()>>>;

fn gen_of_str(s: &'static str) -> Task {
    Box::pin(Gen::new(async move |co| {
        for i in s.chars() {
            co.yield_(i.to_string()).await;
        }
    }))
}

fn gen_of_num(n: u32) -> Task {
    Box::pin(Gen::new(async move |co| {
        for i in 0..n {
            co.yield_(i.to_string()).await;
        }
    }))
}

fn main() {
    let g_s = gen_of_str("any string");
    let g_n = gen_of_num(11);

    let tasks = RoundRobin::from_iter([g_s, g_n]);

    // Each in its turn, and back to the end of the queue unless it is used up.
    for (_, i) in tasks {
        println!("{i}"); // a useful job could stand here
    }
}
