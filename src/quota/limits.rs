//! Who has which quota.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Bucket, Kind, distinct};

/// A part of whom a quota is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// It does not matter.
    Absent,
    /// All that have no quota of their own.
    Default,
    /// This one.
    Named(Arc<str>),
}

/// All quotas.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Limits {
    by_client: BTreeMap<(Kind, Part, Part), f64>,
    /// Of connections, by address; the default is under none.
    by_address: BTreeMap<Option<IpAddr>, f64>,
}

impl Limits {
    /// What the cluster's quotas amount to: each with whom it is for (names by type, none for the
    /// default of that type) and under Kafka's name. Quotas of other names limit nothing here.
    pub fn of_entities<'a>(
        quotas: impl IntoIterator<Item = (&'a BTreeMap<String, Option<String>>, &'a str, f64)>,
    ) -> Self {
        let mut limits = Self::default();
        for (entity, name, limit) in quotas {
            let part = |kind: &str| match entity.get(kind) {
                None => Part::Absent,
                Some(None) => Part::Default,
                Some(Some(name)) => Part::Named(Arc::from(distinct(name))),
            };
            let kind = match name {
                "producer_byte_rate" => Kind::Produce,
                "consumer_byte_rate" => Kind::Fetch,
                "request_percentage" => Kind::RequestTime,
                "connection_creation_rate" => {
                    match entity.get("ip").and_then(Option::as_deref).map(str::parse) {
                        None => limits.set_for_address(None, limit),
                        Some(Ok(address)) => limits.set_for_address(Some(address), limit),
                        // The controller takes addresses only.
                        Some(Err(_)) => {}
                    }
                    continue;
                }
                _ => continue,
            };
            limits.set(kind, part("user"), part("client-id"), limit);
        }
        limits
    }

    /// Gives users and client ids a quota.
    pub fn set(&mut self, kind: Kind, user: Part, client: Part, limit: f64) {
        self.by_client.insert((kind, user, client), limit);
    }

    /// Gives an address a quota of connections, or all that have none of their own.
    pub fn set_for_address(&mut self, address: Option<IpAddr>, limit: f64) {
        self.by_address.insert(address.map(|address| address.to_canonical()), limit);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_client.is_empty() && self.by_address.is_empty()
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        let from = (kind, Part::Absent, Part::Absent);
        self.by_client.range(from..).next().is_some_and(|((found, ..), _)| *found == kind)
    }

    /// The quota of a client and who shares it, by Kafka's order: what names a user comes before
    /// what names its client id only, and names before defaults.
    pub(super) fn of(&self, kind: Kind, user: &str, client: &str) -> Option<(Bucket, f64)> {
        if !self.has(kind) {
            return None;
        }
        let named = |name: &str| Part::Named(Arc::from(name));
        let (user_name, client_name) = (named(user), named(client));
        let order = [
            (&user_name, &client_name),
            (&user_name, &Part::Default),
            (&user_name, &Part::Absent),
            (&Part::Default, &client_name),
            (&Part::Default, &Part::Default),
            (&Part::Default, &Part::Absent),
            (&Part::Absent, &client_name),
            (&Part::Absent, &Part::Default),
        ];
        order.into_iter().find_map(|(by_user, by_client)| {
            let limit = self.by_client.get(&(kind, by_user.clone(), by_client.clone()))?;
            // Each one that a default stands for has a count of its own.
            let shared = |part: &Part, name: &str| (*part != Part::Absent).then(|| Arc::from(name));
            let (user, client) = (shared(by_user, user), shared(by_client, client));
            Some((Bucket { kind, user, client }, *limit))
        })
    }

    pub(super) fn of_address(&self, address: IpAddr) -> Option<(Bucket, f64)> {
        let address = address.to_canonical();
        let limit = self.by_address.get(&Some(address)).or_else(|| self.by_address.get(&None))?;
        let client = Some(Arc::from(address.to_string()));
        Some((Bucket { kind: Kind::Connections, user: None, client }, *limit))
    }
}
