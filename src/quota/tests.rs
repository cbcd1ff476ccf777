use super::*;

const WINDOWS: Windows = Windows { count: 11, length: Duration::from_secs(1) };

fn at(millis: u64) -> Instant {
    Instant::new((100_000 + millis) * 1_000_000)
}

fn named(name: &str) -> Part {
    Part::Named(Arc::from(name))
}

fn quotas(limits: &[(Kind, Part, Part, f64)]) -> Quotas {
    let mut all = Limits::default();
    for (kind, user, client, limit) in limits {
        all.set(*kind, user.clone(), client.clone(), *limit);
    }
    let mut quotas = Quotas::new(WINDOWS);
    quotas.set_limits(all);
    quotas
}

#[test]
fn who_uses_more_waits_until_the_average_is_within_the_quota() {
    let mut quotas = quotas(&[(Kind::Produce, Part::Absent, named("c"), 1000.0)]);
    quotas.charge(Kind::Produce, "u", "c", 10_000.0, at(0));
    assert_eq!(quotas.throttle(Kind::Produce, "u", "c", at(0)), Duration::ZERO);
    quotas.charge(Kind::Produce, "u", "c", 5_000.0, at(0));
    // 1,500 in a second over ten seconds: half of the quota too much.
    let wait = quotas.throttle(Kind::Produce, "u", "c", at(0));
    assert_eq!(wait, Duration::from_secs(5));
    assert_eq!(quotas.throttle(Kind::Produce, "u", "c", at(11_000)), Duration::ZERO);
    assert_eq!(quotas.throttle(Kind::Fetch, "u", "c", at(0)), Duration::ZERO);
    assert_eq!(quotas.throttle(Kind::Produce, "u", "other", at(0)), Duration::ZERO);
}

/// A client that does what it is told gets its quota, on average, and no more.
#[test]
fn an_obedient_client_gets_its_quota() {
    for request in [10.0, 700.0, 3_000.0] {
        let mut quotas = quotas(&[(Kind::Produce, Part::Default, Part::Absent, 1000.0)]);
        let (mut now, mut sent) = (0, 0.0);
        while now < 600_000 {
            sent += request;
            quotas.charge(Kind::Produce, "u", "c", request, at(now));
            let wait = quotas.throttle(Kind::Produce, "u", "c", at(now)).as_millis() as u64;
            now += wait.max(1);
        }
        let rate = sent / (now as f64 / 1000.0);
        assert!((900.0..=1100.0).contains(&rate), "{request}: {rate}");
    }
}

#[test]
fn the_quota_that_says_most_about_a_client_counts() {
    let all = [
        (named("u"), named("c")),
        (named("u"), Part::Default),
        (named("u"), Part::Absent),
        (Part::Default, named("c")),
        (Part::Default, Part::Default),
        (Part::Default, Part::Absent),
        (Part::Absent, named("c")),
        (Part::Absent, Part::Default),
    ];
    for first in 0..all.len() {
        let mut limits = Limits::default();
        for (at, (user, client)) in all.iter().enumerate().skip(first) {
            limits.set(Kind::Fetch, user.clone(), client.clone(), at as f64);
        }
        let (bucket, limit) = limits.of(Kind::Fetch, "u", "c").unwrap();
        assert_eq!(limit, first as f64);
        let shares = |part: &Part| *part != Part::Absent;
        assert_eq!(bucket.user.is_some(), shares(&all[first].0));
        assert_eq!(bucket.client.is_some(), shares(&all[first].1));
        assert!(limits.of(Kind::Produce, "u", "c").is_none());
    }
}

#[test]
fn each_client_of_a_default_has_a_count_of_its_own() {
    let mut quotas = quotas(&[(Kind::Produce, Part::Absent, Part::Default, 10.0)]);
    quotas.charge(Kind::Produce, "u", "greedy", 1000.0, at(0));
    assert!(quotas.throttle(Kind::Produce, "u", "greedy", at(0)) > Duration::ZERO);
    assert_eq!(quotas.throttle(Kind::Produce, "u", "modest", at(0)), Duration::ZERO);
}

#[test]
fn shards_together_keep_to_a_quota() {
    let limit = [(Kind::Produce, Part::Absent, Part::Default, 1000.0)];
    let (mut one, mut other) = (quotas(&limit), quotas(&limit));
    one.charge(Kind::Produce, "u", "c", 8_000.0, at(0));
    other.charge(Kind::Produce, "u", "c", 8_000.0, at(0));
    assert_eq!(one.throttle(Kind::Produce, "u", "c", at(0)), Duration::ZERO);
    let usage = one.take_usage(at(0)).unwrap();
    assert_eq!(one.take_usage(at(0)), None, "told once");
    other.used_elsewhere(&usage, at(10));
    let wait = other.throttle(Kind::Produce, "u", "c", at(10)).as_millis();
    assert!((5_900..=6_000).contains(&wait), "{wait}");
    // What others told is not told on.
    assert_eq!(other.take_usage(at(10)).unwrap().len(), 1);
    assert_eq!(other.take_usage(at(2_000)), None);
    assert!(other.deadline().is_some());
    assert_eq!(other.take_usage(at(20_000)), None);
    assert_eq!(other.deadline(), None, "nothing is left of who is gone");
}

#[test]
fn a_fetch_brings_no_more_than_all_windows_may() {
    let quotas = quotas(&[(Kind::Fetch, Part::Default, Part::Absent, 1000.0)]);
    assert_eq!(quotas.fetch_bytes_max("u", "c"), 10_000);
    assert_eq!(super::Quotas::new(WINDOWS).fetch_bytes_max("u", "c"), u64::MAX);
}

#[test]
fn addresses_have_a_rate_of_connections() {
    let mut limits = Limits::default();
    limits.set_for_address(None, 1.0);
    limits.set_for_address(Some(IpAddr::from([10, 0, 0, 7])), 1000.0);
    let mut quotas = Quotas::new(WINDOWS);
    quotas.set_limits(limits);
    let (strange, known) = (IpAddr::from([10, 0, 0, 8]), IpAddr::from([10, 0, 0, 7]));
    let refused = |quotas: &mut Quotas, from| {
        (0..30).filter(|_| quotas.connected(from, at(0)).is_some()).count()
    };
    assert_eq!(refused(&mut quotas, strange), 20, "ten in ten seconds");
    assert_eq!(refused(&mut quotas, known), 0);
}

/// Kafka does not count those that it refuses, or a client that tries again at once would never
/// get in.
#[test]
fn an_address_that_goes_on_trying_gets_its_rate() {
    let mut limits = Limits::default();
    limits.set_for_address(None, 1.0);
    let mut quotas = Quotas::new(WINDOWS);
    quotas.set_limits(limits);
    let address = IpAddr::from([10, 0, 0, 8]);
    let tries = (0..600_000).step_by(100);
    let admitted = tries.filter(|now| quotas.connected(address, at(*now)).is_none()).count();
    assert!((540..=620).contains(&admitted), "{admitted} in ten minutes");
}

#[test]
fn an_address_is_the_same_however_it_is_written() {
    let named = |name: &str| [("ip".to_owned(), Some(name.to_owned()))].into();
    let entities = [named("0:0:0:0:0:0:0:1"), named("::ffff:10.0.0.7")];
    let each = entities.iter().map(|entity| (entity, "connection_creation_rate", 5.0));
    let limits = Limits::of_entities(each);
    for address in ["::1", "10.0.0.7", "::ffff:10.0.0.7"] {
        let found = limits.of_address(address.parse().unwrap());
        assert_eq!(found.map(|(_, limit)| limit), Some(5.0), "{address}");
    }
    assert!(limits.of_address("::2".parse().unwrap()).is_none());
}

#[test]
fn long_names_take_no_more_memory_than_others() {
    let long = "\u{e9}".repeat(16_000);
    assert_eq!(distinct(&long).len(), NAME_BYTES_MAX);
    assert_eq!(distinct("short"), "short");
    let entity = [("client-id".to_owned(), Some(long.clone()))].into();
    let limits = Limits::of_entities([(&entity, "producer_byte_rate", 5.0)]);
    assert!(limits.of(Kind::Produce, "u", distinct(&long)).is_some(), "it has its quota");
}

#[test]
fn strange_limits_and_many_names_do_no_harm() {
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
        let mut quotas = quotas(&[(Kind::Produce, Part::Absent, Part::Default, limit)]);
        quotas.charge(Kind::Produce, "u", "c", f64::MAX, at(0));
        assert!(quotas.throttle(Kind::Produce, "u", "c", at(0)) <= THROTTLE_MAX);
    }
    let mut quotas = quotas(&[(Kind::Produce, Part::Absent, Part::Default, 1.0)]);
    for name in 0..2 * BUCKETS_MAX {
        quotas.charge(Kind::Produce, "u", &name.to_string(), 1.0, at(0));
    }
    assert!(quotas.rates.len() <= BUCKETS_MAX + 1);
    assert!(quotas.throttle(Kind::Produce, "u", "another", at(0)) > Duration::ZERO);
}
