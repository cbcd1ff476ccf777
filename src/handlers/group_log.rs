//! Reading the records of groups back from their partition, when a coordinator begins.

use super::job::SMALL_BYTES;
use crate::coordinator::group::APPEND_BYTES_MAX;
use crate::record::{Batch, Batches};
use crate::types::Offset;

/// Records are taken up to about this many bytes at a time: a batch may be many times what it is
/// compressed.
const RECORDS_BYTES_MAX: usize = 1 << 20;

/// Records read back.
#[derive(Debug, Default)]
pub struct GroupRecords {
    /// Key and value of each.
    pub records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Where to go on; none if there was no whole batch.
    pub next: Option<Offset>,
    /// Batches that could not be read.
    pub damaged: u32,
}

/// Whether the batches in `bytes` are read sooner than handed over.
pub(super) fn is_small(bytes: &[u8]) -> bool {
    bytes.len() <= SMALL_BYTES
}

/// The records of the first batches in `bytes`, of which the last may be cut off.
pub(super) fn group_records(bytes: &[u8]) -> GroupRecords {
    let mut read = GroupRecords::default();
    let mut scratch = Vec::new();
    let mut taken = 0;
    for batch in Batches::new(bytes) {
        let header = batch.header();
        read.next = Some(Offset::new(header.last_offset().get() + 1));
        if header.attributes.is_control() {
            continue;
        }
        scratch.clear();
        match records_of(&batch, &mut scratch, &mut read.records) {
            Some(bytes) => taken += bytes,
            None => read.damaged += 1,
        }
        if taken >= RECORDS_BYTES_MAX {
            break;
        }
    }
    read
}

/// Adds a batch's records; answers their bytes, `None` if the batch is damaged.
fn records_of(
    batch: &Batch<'_>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
) -> Option<usize> {
    let before = out.len();
    let records = batch.records(APPEND_BYTES_MAX, scratch).ok()?;
    let mut bytes = 0;
    for record in records {
        let Ok(record) = record else {
            out.truncate(before);
            return None;
        };
        // A record without a key says nothing about anyone.
        let Some(key) = record.key else { continue };
        bytes += key.len() + record.value.map_or(0, <[u8]>::len);
        out.push((key.to_vec(), record.value.map(<[u8]>::to_vec)));
    }
    Some(bytes)
}
