//! Altering the quotas of users, clients and addresses (KIP-546).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Answer, Batch, Decision, TOO_LARGE};
use crate::config;
use crate::metadata::{Image, MetadataRecord, QuotaEntity, QuotaValue};

/// What an entity may be made of.
pub const QUOTA_ENTITY_TYPES: [&str; 3] = ["user", "client-id", "ip"];

/// What happens to the quotas of one entity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaAlteration {
    /// Whose.
    pub entity: QuotaEntity,
    /// The quotas, with none for those that go.
    pub quotas: Vec<(String, Option<QuotaValue>)>,
}

/// Decides; what is refused is a wrong request, and says why.
pub(super) fn decide(
    image: &Image,
    alterations: &[QuotaAlteration],
    validate_only: bool,
) -> Decision {
    let mut batch = Batch::new();
    let mut seen = BTreeSet::new();
    let mut results = Vec::new();
    for QuotaAlteration { entity, quotas } in alterations {
        if !seen.insert(entity) {
            results.push(Err("the request names this entity twice".to_owned()));
            continue;
        }
        let before = image.quotas.get(entity);
        results.push(check(entity, quotas).and_then(|()| {
            let changed = quotas.iter().filter(|(name, value)| {
                before.and_then(|before| before.get(name)).copied() != *value
            });
            let changed = changed.map(|(name, value)| MetadataRecord::Quota {
                entity: entity.clone(),
                name: name.clone(),
                value: *value,
            });
            batch.add(changed.collect()).then_some(()).ok_or_else(|| TOO_LARGE.to_owned())
        }));
    }
    let records = if validate_only { Vec::new() } else { batch.records };
    Decision { records, answer: Answer::QuotasAltered(results) }
}

fn check(entity: &QuotaEntity, quotas: &[(String, Option<QuotaValue>)]) -> Result<(), String> {
    check_entity(entity)?;
    let mut seen = BTreeSet::new();
    for (name, value) in quotas {
        if !seen.insert(name) {
            return Err(format!("the request alters {name} twice"));
        }
        let Some(value) = value else { continue };
        let Some(definition) = config::quota(name, entity.contains_key("ip")) else {
            return Err(format!("such an entity has no quota {name}"));
        };
        config::check_quota(definition, value.get())?;
    }
    Ok(())
}

/// Kafka also takes the names of hosts, and looks them up; an address says what is meant.
fn check_entity(entity: &QuotaEntity) -> Result<(), String> {
    if entity.is_empty() {
        return Err("the entity is empty: name a user, a client-id or an ip".to_owned());
    }
    for (kind, name) in entity {
        if !QUOTA_ENTITY_TYPES.contains(&kind.as_str()) {
            return Err(format!("{kind}: expected user, client-id or ip"));
        }
        if name.as_deref() == Some("") {
            return Err(format!("the name of the {kind} is empty"));
        }
    }
    let Some(address) = entity.get("ip") else { return Ok(()) };
    if entity.len() > 1 {
        return Err("a quota is for an ip, or else for users and client-ids".to_owned());
    }
    match address {
        Some(address) if address.parse::<IpAddr>().is_err() => {
            Err(format!("{address} is no IP address"))
        }
        _ => Ok(()),
    }
}
