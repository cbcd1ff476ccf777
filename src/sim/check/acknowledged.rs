//! Every acknowledged record is there, exactly at its offset.

use super::Contents;
use crate::sim::model::Model;

pub(in crate::sim) fn check(model: &Model, contents: &Contents) -> Result<(), String> {
    for (key, partition) in &model.partitions {
        if model.deleted.contains(&key.0) || partition.acknowledged.is_empty() {
            continue;
        }
        let Some(log) = contents.get(key) else {
            return Err(format!("{key:?} is lost with all its acknowledged records"));
        };
        for (offset, identity) in &partition.acknowledged {
            let found = log.get(offset);
            if found != Some(identity) {
                return Err(format!(
                    "offset {offset} of {key:?} was acknowledged for {identity:?}, and is {found:?}"
                ));
            }
        }
    }
    Ok(())
}
