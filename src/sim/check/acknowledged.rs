//! Every acknowledged record is there, exactly at its offset.

use super::Contents;
use super::kept::{Starts, may_be_gone};
use crate::sim::model::Model;

pub(in crate::sim) fn check(
    model: &Model,
    contents: &Contents,
    starts: &Starts,
) -> Result<(), String> {
    for (key, partition) in &model.partitions {
        if model.deleted.contains(&key.0) || partition.acknowledged.is_empty() {
            continue;
        }
        for (offset, identity) in &partition.acknowledged {
            let found = contents.get(key).and_then(|log| log.get(offset));
            let is_gone =
                found.is_none() && may_be_gone(model, (contents, starts), key, *offset, *identity);
            if found != Some(identity) && !is_gone {
                return Err(format!(
                    "offset {offset} of {key:?} was acknowledged for {identity:?}, and is {found:?}"
                ));
            }
        }
    }
    Ok(())
}
