//! An offset that a consumer was shown never changes its meaning.

use super::Contents;
use super::kept::{Starts, may_be_gone};
use crate::sim::model::Model;

pub(in crate::sim) fn check(
    model: &Model,
    contents: &Contents,
    starts: &Starts,
) -> Result<(), String> {
    for (key, partition) in &model.partitions {
        if model.deleted.contains(&key.0) {
            continue;
        }
        for (offset, identity) in &partition.shown {
            let found = contents.get(key).and_then(|log| log.get(offset));
            let is_gone =
                found.is_none() && may_be_gone(model, (contents, starts), key, *offset, *identity);
            if found != Some(identity) && !is_gone {
                return Err(format!(
                    "offset {offset} of {key:?} was shown as {identity:?}, and is {found:?}"
                ));
            }
        }
    }
    Ok(())
}
