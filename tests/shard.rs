//! A shard from a client's bytes to its effects: what a request costs in allocations.
#![allow(unreachable_pub)]

#[path = "protocol/allocations.rs"]
mod allocations;
#[expect(dead_code, reason = "hostile requests are for fuzzing")]
#[path = "shard/world.rs"]
mod world;

use std::sync::Arc;

use millstream::quota::{Kind, Limits, Part};
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

/// What a client asks of the controller is held several times as large until it is on disk.
#[test]
fn a_client_with_large_commands_under_way_is_not_read_from() {
    let mut world = World::new();
    let commands: Vec<Vec<u8>> = (0..10).map(|mark| world::create_topics(mark, 1000)).collect();
    let read = world.receive(&commands.concat());
    assert!(read < 4 * commands[0].len(), "{read} bytes of ten commands");
}

/// One quota for every client.
fn quota(kind: Kind, limit: f64) -> Limits {
    let mut limits = Limits::default();
    limits.set(kind, Part::Absent, Part::Default, limit);
    limits
}

/// Whether so much time is right for what takes `needed` at the quota: what ten windows may bring
/// comes at once, and then again when it is eleven windows old.
fn is_within_quota(seconds: f64, needed: f64) -> bool {
    (needed - 11.0..needed * 1.1 + 1.0).contains(&seconds)
}

#[test]
fn a_producer_gets_its_quota_and_no_more() {
    let (mut world, produce) = (World::new(), world::produce());
    world.limit(quota(Kind::Produce, 20_000.0));
    let requests = 600;
    (0..requests).for_each(|_| world.patient_request(&produce));
    let needed = (requests * produce.len()) as f64 / 20_000.0;
    let seconds = world.seconds();
    assert!(is_within_quota(seconds, needed), "{seconds} s, {needed} s of the quota");
    assert!(world.throttled() > 0);
    world.limit(quota(Kind::Produce, 1e12));
    let before = world.seconds();
    (0..requests).for_each(|_| world.patient_request(&produce));
    assert!(world.seconds() - before < 12.0, "others than before");
}

#[test]
fn a_consumer_gets_its_quota_and_no_more() {
    let (mut world, produce) = (World::new(), world::produce());
    world.limit(quota(Kind::Fetch, 20_000.0));
    let (start, mut bytes) = (world.seconds(), 0);
    for offset in 0..600 {
        // What is read is fresh: the disk of this world keeps nothing.
        world.patient_request(&produce);
        let before = world.sent_bytes;
        world.patient_request(&world::fetch(offset));
        bytes += world.sent_bytes - before;
    }
    assert!(bytes > 600 * 1024, "every fetch brings its record");
    let (seconds, needed) = (world.seconds() - start, bytes as f64 / 20_000.0);
    assert!(is_within_quota(seconds, needed), "{seconds} s, {needed} s of the quota");
}

/// Two milliseconds for each request, of which a tenth of the time is allowed: one in 20 ms.
#[test]
fn a_client_gets_its_share_of_time_and_no_more() {
    let (mut world, produce) = (World::new(), world::produce());
    world.limit(quota(Kind::RequestTime, 10.0));
    for _ in 0..2_000 {
        world.patient_request(&produce);
        world.turn_took(2_000_000);
    }
    let seconds = world.seconds();
    assert!((26.0..36.0).contains(&seconds), "{seconds} s");
}

/// Nobody reads from it meanwhile, but it is the client that has asked for more than its share.
#[test]
fn a_client_above_its_quota_does_not_keep_memory_from_others() {
    let mut world = World::new();
    world.request(&world::produce());
    world.limit(quota(Kind::RequestTime, 10.0));
    world.request(&world::fetch(0));
    world.turn_took(10_000_000_000);
    let mut large = (40u32 << 20).to_be_bytes().to_vec();
    large.resize(100, 0);
    let first = [world::fetch(0), large.clone()].concat();
    let seconds = world.seconds_until_cut_off(&first, &large);
    assert_eq!(world.throttled(), 1);
    assert!((15..60).contains(&seconds), "closed after {seconds} s");
}

#[test]
fn commits_that_find_no_room_are_answered_before_they_fill_the_memory() {
    let mut world = World::new();
    world.request(&world::find_coordinator());
    let commit = world::large_commit();
    world.request(&commit);
    world.stall();
    // The tails have 32 MiB, and half of that may wait for room.
    let waiting = (0..200).filter(|_| {
        world.comes_from(std::net::Ipv4Addr::LOCALHOST.into());
        !world.is_answered(&commit)
    });
    let waiting = waiting.count();
    assert!((20..60).contains(&waiting), "{waiting} commits wait");
    // And nobody waits for longer than offsets.commit.timeout.ms.
    let before = world.sent_bytes;
    world.pass(4);
    assert_eq!(world.sent_bytes, before);
    world.pass(1);
    let each = (world.sent_bytes - before) / waiting as u64;
    assert!(each > 0, "all of {waiting} are answered");
    assert_eq!((world.sent_bytes - before) % waiting as u64, 0);
}

#[test]
fn an_address_that_connects_too_often_is_not_served() {
    let mut world = World::new();
    let mut limits = Limits::default();
    limits.set_for_address(None, 1.0);
    world.limit(limits);
    let address = [127, 0, 0, 1].into();
    (0..11).for_each(|_| world.comes_from(address));
    assert!(world.seconds_until_closed() <= 1.0);
}

#[test]
fn names_of_the_cluster_s_quotas_are_known() {
    let entity = [("client-id".to_owned(), None)].into();
    let limits = Limits::of_entities([
        (&entity, "producer_byte_rate", 5.0),
        (&entity, "controller_mutation_rate", 5.0),
    ]);
    assert_eq!(limits, quota(Kind::Produce, 5.0));
    let named = [("user".to_owned(), Some("u".to_owned()))].into();
    let mut expected = Limits::default();
    expected.set(Kind::RequestTime, Part::Named(Arc::from("u")), Part::Absent, 2.0);
    assert_eq!(Limits::of_entities([(&named, "request_percentage", 2.0)]), expected);
}
