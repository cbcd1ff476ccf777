//! Quotas: how much of the brokers somebody may use (KIP-546).

use std::collections::BTreeMap;

/// Whom a quota is for: `user`, `client-id` or `ip`, each with a name, or without one for all that
/// have no quota of their own.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

/// The quotas of one entity, by name.
pub type Quotas = BTreeMap<String, QuotaValue>;

/// A quota's value; what it counts depends on its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaValue(u64);

impl QuotaValue {
    /// The value of a number.
    pub fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}
