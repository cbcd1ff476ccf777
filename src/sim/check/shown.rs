//! An offset that a consumer was shown never changes its meaning.

use super::Contents;
use crate::sim::model::Model;

pub(in crate::sim) fn check(model: &Model, contents: &Contents) -> Result<(), String> {
    for (key, partition) in &model.partitions {
        if model.deleted.contains(&key.0) {
            continue;
        }
        for (offset, identity) in &partition.shown {
            let found = contents.get(key).and_then(|log| log.get(offset));
            if found != Some(identity) {
                return Err(format!(
                    "offset {offset} of {key:?} was shown as {identity:?}, and is {found:?}"
                ));
            }
        }
    }
    Ok(())
}
