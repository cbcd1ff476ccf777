//! An idempotent producer's record is there once.

use std::collections::BTreeMap;

use super::Contents;
use crate::sim::model::Model;

pub(in crate::sim) fn check(model: &Model, contents: &Contents) -> Result<(), String> {
    for (key, log) in contents {
        let mut seen = BTreeMap::new();
        for (offset, identity) in log {
            if !model.idempotent.contains(&identity.client) {
                continue;
            }
            if let Some(before) = seen.insert(*identity, *offset) {
                return Err(format!("{identity:?} stands in {key:?} at {before} and at {offset}"));
            }
        }
    }
    Ok(())
}
