//! Clients that use more than their quota are told so in their answers, and then not read from for
//! as long as they were told (KIP-219).

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Message, Shard};
use crate::handlers::Asked;
use crate::protocol::ApiKey;
use crate::quota::{self, Kind, Limits, Quotas, Usage, Windows};
use crate::types::{ConnectionId, Instant, Now, ShardId};

/// Whom Kafka takes a client for that has not said who it is.
const USER: &str = "ANONYMOUS";
/// Bytes of a request that count as much as a request.
const BYTES_PER_WEIGHT: usize = 16 << 10;

/// What a shard knows of quotas.
#[derive(Debug)]
pub(super) struct Throttle {
    pub(super) quotas: Quotas,
    /// Connections that are not read from, and until when.
    muted: BTreeSet<(Instant, ConnectionId)>,
    /// Whose requests the turn at hand has handled, and how much work each was.
    work: Vec<(Arc<str>, u64)>,
}

impl Throttle {
    pub(super) fn new(windows: Windows) -> Self {
        Self { quotas: Quotas::new(windows), muted: BTreeSet::new(), work: Vec::new() }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let muted = self.muted.first().map(|(until, _)| *until);
        [muted, self.quotas.deadline()].into_iter().flatten().min()
    }
}

impl Shard {
    /// Takes over other quotas.
    pub fn set_quotas(&mut self, limits: Limits) {
        self.throttle.quotas.set_limits(limits);
    }

    /// A turn took so long: those whose requests it handled have used that time of the core, by the
    /// number and the size of their requests. The core cannot look at a clock for each.
    pub fn turn_took(&mut self, now: Now, nanos: u64) {
        let Throttle { quotas, work, .. } = &mut self.throttle;
        let all: u64 = work.iter().map(|(_, weight)| weight).sum();
        for (client, weight) in work.drain(..) {
            // Percent of a second, which as a rate is percent.
            let percent = nanos as f64 / 1e7 * weight as f64 / all as f64;
            quotas.charge(Kind::RequestTime, USER, &client, percent, now.instant);
        }
    }

    /// A connection is known to come from there. An address that opens too many is left alone for
    /// a while, and then closed (KIP-612).
    pub(super) fn comes_from(&mut self, now: Now, connection: ConnectionId, address: IpAddr) {
        if self.throttle.quotas.is_empty() {
            return;
        }
        let Some(wait) = self.throttle.quotas.connected(address, now.instant) else { return };
        if let Some(open) = self.connections.get_mut(connection) {
            open.refused = true;
            self.mute(now, connection, wait);
        }
    }

    /// Counts a request that is being handled.
    pub(super) fn charge_request(
        &mut self,
        now: Now,
        connection: ConnectionId,
        asked: &Asked<'_>,
        bytes: usize,
    ) {
        if self.throttle.quotas.is_empty() {
            return;
        }
        let Some(open) = self.connections.get_mut(connection) else { return };
        let client = quota::distinct(asked.client_id.unwrap_or_default());
        if *open.client != *client {
            open.client = Arc::from(client);
        }
        let Throttle { quotas, work, .. } = &mut self.throttle;
        if asked.api == ApiKey::Produce {
            quotas.charge(Kind::Produce, USER, client, bytes as f64, now.instant);
        }
        if quotas.has(Kind::RequestTime) {
            let weight = 1 + bytes / BYTES_PER_WEIGHT;
            work.push((Arc::clone(&open.client), weight as u64));
        }
    }

    /// The bytes that a fetch may bring.
    pub(super) fn fetch_bytes_max(&self, asked: &Asked<'_>) -> u64 {
        if asked.api != ApiKey::Fetch || self.throttle.quotas.is_empty() {
            return u64::MAX;
        }
        let client = quota::distinct(asked.client_id.unwrap_or_default());
        self.throttle.quotas.fetch_bytes_max(USER, client)
    }

    /// Says in the responder's answer how long the client is to wait, and makes it wait.
    pub(super) fn throttle_answer(&mut self, now: Now, connection: ConnectionId, api: ApiKey) {
        if self.throttle.quotas.is_empty() {
            return;
        }
        let bytes = self.parts.responder.len();
        let wait = self.wait_for_quota(now, connection, api, bytes);
        if !wait.is_zero() {
            self.metrics.throttled += 1;
            self.parts.responder.set_throttle_time(wait);
            self.mute(now, connection, wait);
        }
    }

    /// The same where there is no answer.
    pub(super) fn throttle_silently(&mut self, now: Now, connection: ConnectionId, api: ApiKey) {
        if self.throttle.quotas.is_empty() {
            return;
        }
        let wait = self.wait_for_quota(now, connection, api, 0);
        if !wait.is_zero() {
            self.mute(now, connection, wait);
        }
    }

    /// How long a client has to wait that is answered with so many bytes, in whole milliseconds.
    fn wait_for_quota(
        &mut self,
        now: Now,
        connection: ConnectionId,
        api: ApiKey,
        bytes: usize,
    ) -> Duration {
        let Some(open) = self.connections.get(connection) else { return Duration::ZERO };
        let (quotas, client, now) = (&mut self.throttle.quotas, &open.client, now.instant);
        let bandwidth = match api {
            ApiKey::Produce => quotas.throttle(Kind::Produce, USER, client, now),
            ApiKey::Fetch => {
                quotas.charge(Kind::Fetch, USER, client, bytes as f64, now);
                quotas.throttle(Kind::Fetch, USER, client, now)
            }
            _ => Duration::ZERO,
        };
        let wait = bandwidth.max(quotas.throttle(Kind::RequestTime, USER, client, now));
        // Rounded up: who waits as told has waited long enough.
        Duration::from_millis(u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(0))
    }

    fn mute(&mut self, now: Now, connection: ConnectionId, wait: Duration) {
        let Some(open) = self.connections.get_mut(connection) else { return };
        let until = now.instant.after(wait);
        if open.muted_until.is_some_and(|before| before >= until) {
            return;
        }
        if let Some(before) = open.muted_until.replace(until) {
            self.throttle.muted.remove(&(before, connection));
        }
        open.paused.quota = true;
        self.throttle.muted.insert((until, connection));
    }

    /// A connection is gone.
    pub(super) fn forget_muted(&mut self, connection: ConnectionId, until: Option<Instant>) {
        if let Some(until) = until {
            self.throttle.muted.remove(&(until, connection));
        }
    }

    /// Reads again from those who have waited long enough, and tells the other shards what was
    /// used.
    pub(super) fn tick_quotas(&mut self, now: Now) {
        while let Some(&(until, connection)) = self.throttle.muted.first()
            && until <= now.instant
        {
            self.throttle.muted.pop_first();
            let Some(open) = self.connections.get_mut(connection) else { continue };
            open.muted_until = None;
            open.paused.quota = false;
            if open.refused {
                self.close(now, connection);
            } else {
                self.resume(now, connection);
            }
        }
        if let Some(usage) = self.throttle.quotas.take_usage(now.instant) {
            let others = (0..self.parts.shards).map(ShardId::new);
            for shard in others.filter(|shard| *shard != self.parts.shard).collect::<Vec<_>>() {
                self.send(shard, Message::Used { usage: Usage::clone(&usage) });
            }
        }
    }
}
