//! What a shard counts of itself: plain integers that only it changes. Whoever wants rates reads
//! them twice.

mod histogram;

use std::collections::BTreeMap;

pub use self::histogram::Histogram;
use crate::types::Instant;

/// The requests of one API.
#[derive(Clone, Debug, Default)]
pub struct ApiMetrics {
    /// Requests that were answered, or are done without an answer.
    pub requests: u64,
    /// From a request's last byte to its answer being ready.
    pub answer: Histogram,
    /// From there until the client's socket has taken the answer's last byte.
    pub send: Histogram,
}

/// A response on its way: whose it is, and since when it is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The key of its API.
    pub api: i16,
    /// When it was ready.
    pub ready: Instant,
}

/// What one shard has counted since it began.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Connections that were opened.
    pub connections_opened: u64,
    /// Bytes that clients sent.
    pub received_bytes: u64,
    /// Bytes that clients were sent.
    pub sent_bytes: u64,
    /// Answers that told a client to wait, for its quota's sake.
    pub throttled: u64,
    /// By key; an API takes memory when it is first asked for.
    apis: Vec<Option<Box<ApiMetrics>>>,
    /// How often each error code was answered.
    errors: BTreeMap<i16, u64>,
}

impl Metrics {
    /// Notes that a request has its answer, `nanos` after it came.
    pub fn answered(&mut self, api: i16, nanos: u64) {
        let api = self.api(api);
        api.requests += 1;
        api.answer.record(nanos);
    }

    /// Notes that an answer is with the client.
    pub fn sent(&mut self, mark: Mark, now: Instant) {
        let nanos = now.get().saturating_sub(mark.ready.get());
        self.api(mark.api).send.record(nanos);
    }

    /// Notes error codes that an answer has.
    pub fn failed(&mut self, codes: &[i16]) {
        for code in codes {
            *self.errors.entry(*code).or_insert(0) += 1;
        }
    }

    /// The APIs that were asked for, by key.
    pub fn apis(&self) -> impl Iterator<Item = (i16, &ApiMetrics)> {
        (0..).zip(&self.apis).filter_map(|(key, api)| Some((key, api.as_deref()?)))
    }

    /// The error codes that were answered, and how often.
    pub fn errors(&self) -> impl Iterator<Item = (i16, u64)> {
        self.errors.iter().map(|(code, count)| (*code, *count))
    }

    /// Adds what another shard has counted.
    pub fn add(&mut self, other: &Self) {
        self.connections_opened += other.connections_opened;
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.throttled += other.throttled;
        for (key, api) in other.apis() {
            let sum = self.api(key);
            sum.requests += api.requests;
            sum.answer.add(&api.answer);
            sum.send.add(&api.send);
        }
        for (code, count) in other.errors() {
            *self.errors.entry(code).or_insert(0) += count;
        }
    }

    fn api(&mut self, key: i16) -> &mut ApiMetrics {
        let at = usize::try_from(key).expect("keys of known APIs are not negative");
        if self.apis.len() <= at {
            self.apis.resize(at + 1, None);
        }
        self.apis[at].get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up() {
        let mut one = Metrics { received_bytes: 3, ..Metrics::default() };
        one.answered(18, 5_000);
        one.failed(&[3, 3, 6]);
        let mut sum = Metrics::default();
        sum.answered(0, 1);
        sum.add(&one);
        sum.add(&one);
        assert_eq!(sum.received_bytes, 6);
        let requests: Vec<_> = sum.apis().map(|(key, api)| (key, api.requests)).collect();
        assert_eq!(requests, [(0, 1), (18, 2)]);
        assert_eq!(sum.errors().collect::<Vec<_>>(), [(3, 4), (6, 2)]);
    }
}
