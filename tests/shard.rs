//! A shard from a client's bytes to its effects: what a request costs in allocations.
#![allow(unreachable_pub)]

#[path = "protocol/allocations.rs"]
mod allocations;
#[expect(dead_code, reason = "hostile requests are for fuzzing")]
#[path = "shard/world.rs"]
mod world;

use world::World;

const REQUESTS: u64 = 10_000;
const WARM_UP: u64 = 2_000;
/// Segments, chunks, log files and checkpoints allocate now and then, whatever the requests are.
const NOW_AND_THEN: u64 = 400;

/// Allocations of so many requests together must not be more than these of each, and some besides.
fn check(what: &str, each: u64, allocated: u64) {
    println!("{REQUESTS} {what}: {allocated} allocations");
    let bound = each * REQUESTS + NOW_AND_THEN;
    assert!(allocated <= bound, "{REQUESTS} {what} allocate {allocated} times, at most {bound}");
}

#[test]
fn a_produce_allocates_nothing() {
    let (mut world, produce) = (World::new(), world::produce());
    (0..WARM_UP).for_each(|_| world.request(&produce));
    let allocated = allocations::during(|| (0..REQUESTS).for_each(|_| world.request(&produce)));
    check("produces", 0, allocated);
}

/// A client's end cannot be told from its having left while what it sent cannot all be read.
#[test]
fn a_client_that_left_is_not_waited_for_as_long_as_it_asked() {
    let mut world = World::new();
    let hours = 3_600_000 * 24;
    let seconds = world.seconds_until_left(&world::waiting_fetch(0, hours).repeat(300));
    assert!((20..60).contains(&seconds), "closed after {seconds} s");
}

#[test]
fn a_fetch_allocates_nothing() {
    let (mut world, produce) = (World::new(), world::produce());
    (0..WARM_UP).for_each(|_| world.request(&produce));
    let fetches: Vec<Vec<u8>> = (0..WARM_UP as i64).map(world::fetch).collect();
    fetches.iter().for_each(|fetch| world.request(fetch));
    let again = fetches.iter().cycle().take(REQUESTS as usize);
    let before = world.sent_bytes;
    let allocated = allocations::during(|| again.for_each(|fetch| world.request(fetch)));
    assert!(world.sent_bytes - before > REQUESTS * 1024, "every fetch brings its record");
    check("fetches", 0, allocated);
}
