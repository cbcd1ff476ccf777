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
    // A tombstone that nobody was told of may have deleted it, and be gone itself.
    let expires = model.cleanup == Cleanup::CompactionAndExpiry;
    let deleted = expires && (identity.is_tombstone() || identity.shares_key());
    before_start || deleted || (model.cleanup.compacts() && log.is_some_and(follows))
}

/// Compaction takes a key's records from the oldest on: nothing that was replaced or deleted stays
/// when what did that is gone. Answers how many tombstones have expired.
pub(in crate::sim) fn check_order(model: &Model, contents: &Contents) -> Result<u64, String> {
    let mut expired = 0;
    for (key, partition) in &model.partitions {
        let Some(log) = contents.get(key).filter(|_| !model.deleted.contains(&key.0)) else {
            continue;
        };
        let mut first = BTreeMap::new();
        for (offset, identity) in log {
            first.entry(identity.key()).or_insert(*offset);
        }
        let gone = partition.acknowledged.iter().filter(|it| !log.contains_key(it.0));
        for (offset, identity) in gone {
            let first = first.get(&identity.key());
            if let Some(older) = first.filter(|first| *first < offset) {
                return Err(format!(
                    "{identity:?} left {offset} of {key:?}, and not that of {older}"
                ));
            }
            let was_last = first.is_none() && identity.is_tombstone();
            expired += u64::from(was_last && model.cleanup == Cleanup::CompactionAndExpiry);
        }
    }
    Ok(expired)
}
