//! The properties, one file each.

pub(super) mod acknowledged;
pub(super) mod contents;
pub(super) mod duplicates;
pub(super) mod kept;
pub(super) mod memory;
pub(super) mod order;
pub(super) mod recovery;
pub(super) mod shown;

use std::collections::BTreeMap;

use super::model::{Identity, Key};

/// What every partition holds in the end, by offset.
pub(super) type Contents = BTreeMap<Key, BTreeMap<i64, Identity>>;
