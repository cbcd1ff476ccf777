//! A producer's records stand in the order in which it wrote them, without a hole before one that
//! was written with idempotence.

use std::collections::BTreeMap;

use super::Contents;
use crate::sim::model::{Cleanup, Model};

pub(in crate::sim) fn check(model: &Model, contents: &Contents) -> Result<(), String> {
    for (key, log) in contents {
        let mut last = BTreeMap::<u32, u64>::new();
        for (offset, identity) in log {
            let next = last.insert(identity.client, identity.number).map(|number| number + 1);
            let whole = model.cleanup == Cleanup::Nothing;
            let idempotent = whole && model.idempotent.contains(&identity.client);
            let in_order = match next {
                Some(next) if idempotent => identity.number == next,
                Some(next) => identity.number >= next,
                None => !idempotent || identity.number == 0,
            };
            if !in_order {
                return Err(format!(
                    "{identity:?} stands in {key:?} at {offset}, where {next:?} should follow"
                ));
            }
        }
    }
    Ok(())
}
