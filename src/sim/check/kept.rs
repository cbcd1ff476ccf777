//! What is gone may be gone: it lies before the log start, or a later record of its key is there.

use std::collections::BTreeMap;

use super::Contents;
use crate::sim::model::{Cleanup, Identity, Key, Model};

/// Where each partition's log starts in the end.
pub(in crate::sim) type Starts = BTreeMap<Key, i64>;

/// The log starts where deletions that were answered left it, or where one that was not may have.
pub(in crate::sim) fn check_starts(model: &Model, starts: &Starts) -> Result<(), String> {
    for (key, start) in starts {
        let Some(partition) = model.partitions.get(key) else { continue };
        if model.deleted.contains(&key.0) {
            continue;
        }
        let most = if model.cleanup == Cleanup::Retention { i64::MAX } else { partition.asked_to };
        if !(partition.deleted_to..=most).contains(start) {
            let least = partition.deleted_to;
            return Err(format!("{key:?} starts at {start}, and not from {least} to {most}"));
        }
    }
    Ok(())
}

/// Whether a record may be missing at `offset`.
pub(in crate::sim) fn may_be_gone(
    model: &Model,
    (contents, starts): (&Contents, &Starts),
    key: &Key,
    offset: i64,
    identity: Identity,
) -> bool {
    let before_start = starts.get(key).is_some_and(|start| offset < *start);
    let log = contents.get(key);
    let follows = |log: &BTreeMap<i64, Identity>| {
        log.range(offset + 1..).any(|(_, later)| later.key() == identity.key())
    };
    before_start || (model.cleanup.compacts() && log.is_some_and(follows))
}
