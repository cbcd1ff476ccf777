//! Quotas: how much of a broker each client may use, counted in sliding windows, and how long who
//! used more has to wait (KIP-13, KIP-124, KIP-219, KIP-612).
//!
//! Each shard counts by itself and tells the others once per window what was used. So every shard
//! knows the whole: its own share at once, that of the others at most a window later.

mod limits;
mod rate;

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

pub use self::limits::{Limits, Part};
use self::rate::Rate;
pub use self::rate::Windows;
use crate::types::Instant;

/// Clients that are told apart. The names are the clients' own choice: above this number, those
/// that are new share one count.
const BUCKETS_MAX: usize = 10_000;
/// So much of a client id tells clients apart, in bytes: a request may name one of 32 KiB.
const NAME_BYTES_MAX: usize = 256;
/// Nobody waits longer, however small a quota is.
const THROTTLE_MAX: Duration = Duration::from_secs(3600);

/// What a quota counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `producer_byte_rate`: bytes in a second.
    Produce,
    /// `consumer_byte_rate`: bytes in a second.
    Fetch,
    /// `request_percentage`: percent of one core's time.
    RequestTime,
    /// `connection_creation_rate`: connections in a second.
    Connections,
}

/// Who shares a count: a user, a client id, both, or an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bucket {
    kind: Kind,
    user: Option<Arc<str>>,
    /// The client id; for connections, the address.
    client: Option<Arc<str>>,
}

/// What of a client id tells clients apart.
pub fn distinct(client_id: &str) -> &str {
    &client_id[..client_id.floor_char_boundary(NAME_BYTES_MAX)]
}

/// What shards tell each other: who used how much since the last time.
pub type Usage = Arc<[(Bucket, f64)]>;

/// The quotas of one shard.
#[derive(Debug)]
pub struct Quotas {
    windows: Windows,
    limits: Limits,
    rates: BTreeMap<Bucket, Rate>,
    tell_at: Instant,
}

impl Quotas {
    /// No quotas, to be counted in these windows.
    pub fn new(windows: Windows) -> Self {
        Self {
            windows,
            limits: Limits::default(),
            rates: BTreeMap::new(),
            tell_at: Instant::new(0),
        }
    }

    /// Takes over other limits. What was used stays counted.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether nobody has a quota: then there is nothing to count.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// Whether any quota of this kind is there.
    pub fn has(&self, kind: Kind) -> bool {
        self.limits.has(kind)
    }

    /// Counts `amount` for a client, if it has a quota of this kind.
    pub fn charge(&mut self, kind: Kind, user: &str, client: &str, amount: f64, now: Instant) {
        if let Some((bucket, _)) = self.limits.of(kind, user, client) {
            self.count(bucket, amount, now);
        }
    }

    /// How long a client has to wait before its next request, for a quota of this kind.
    pub fn throttle(&mut self, kind: Kind, user: &str, client: &str, now: Instant) -> Duration {
        let Some((bucket, limit)) = self.limits.of(kind, user, client) else {
            return Duration::ZERO;
        };
        let bucket = self.known(bucket);
        let Some(rate) = self.rates.get_mut(&bucket) else { return Duration::ZERO };
        let wait = rate.time_until_within(limit, &self.windows, now);
        // A burst of work is forgiven within a window, as in Kafka.
        let most = if kind == Kind::RequestTime { self.windows.length } else { THROTTLE_MAX };
        wait.min(most)
    }

    /// The most that a client may be sent at once, in bytes: what its quota allows in all windows.
    pub fn fetch_bytes_max(&self, user: &str, client: &str) -> u64 {
        let limit = self.limits.of(Kind::Fetch, user, client).map(|(_, limit)| limit);
        limit.map_or(u64::MAX, |limit| (limit * self.windows.total().as_secs_f64()) as u64)
    }

    /// Counts a connection from an address, and says how long it is to be left alone before it is
    /// closed; none when it may stay. Those that may not are not counted: who goes on trying gets
    /// in as often as its quota allows.
    pub fn connected(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        let (bucket, limit) = self.limits.of_address(address)?;
        let bucket = self.known(bucket);
        self.count(bucket.clone(), 1.0, now);
        let wait = self.rates.get_mut(&bucket)?.time_until_within(limit, &self.windows, now);
        if wait.is_zero() {
            return None;
        }
        self.count(bucket, -1.0, now);
        Some(wait.min(self.windows.length))
    }

    fn count(&mut self, bucket: Bucket, amount: f64, now: Instant) {
        let bucket = self.known(bucket);
        let rate = self.rates.entry(bucket).or_default();
        rate.record(amount, &self.windows, now);
        rate.untold += amount;
    }

    /// The bucket itself, or the one that new clients share when there are too many.
    fn known(&self, bucket: Bucket) -> Bucket {
        if self.rates.len() < BUCKETS_MAX || self.rates.contains_key(&bucket) {
            return bucket;
        }
        Bucket { client: bucket.client.is_some().then(|| Arc::from("")), ..bucket }
    }

    /// What others have to be told now, if anything.
    pub fn take_usage(&mut self, now: Instant) -> Option<Usage> {
        if self.rates.is_empty() || now < self.tell_at {
            return None;
        }
        self.tell_at = now.after(self.windows.length);
        let windows = &self.windows;
        self.rates.retain(|_, rate| rate.untold > 0.0 || !rate.is_over(windows, now));
        let untold = self.rates.iter_mut().filter(|(_, rate)| rate.untold > 0.0);
        let usage: Usage = untold
            .map(|(bucket, rate)| (bucket.clone(), std::mem::take(&mut rate.untold)))
            .collect();
        (!usage.is_empty()).then_some(usage)
    }

    /// When [`Quotas::take_usage`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.rates.is_empty()).then_some(self.tell_at)
    }

    /// Counts what another shard tells.
    pub fn used_elsewhere(&mut self, usage: &[(Bucket, f64)], now: Instant) {
        for (bucket, amount) in usage {
            let bucket = self.known(bucket.clone());
            self.rates.entry(bucket).or_default().record(*amount, &self.windows, now);
        }
    }
}

#[cfg(test)]
mod tests;
