//! A disk for unit tests: it answers at once, knows how long its files are, and keeps no byte.

use core::any::Any;
use std::collections::BTreeMap;

use super::{DiskDone, DiskError, DiskOp, DiskResult, FileHandle, FileName, FreeSpace, OpenFile};

#[derive(Debug)]
struct AnsweringFile(FileName);

impl OpenFile for AnsweringFile {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Files by name, and what the file system claims to have free.
#[derive(Debug)]
pub(crate) struct AnsweringDisk {
    pub(crate) lengths: BTreeMap<String, u64>,
    pub(crate) free: FreeSpace,
}

impl AnsweringDisk {
    /// An empty one of a size.
    pub(crate) fn new(total_bytes: u64) -> Self {
        let free = FreeSpace { free_bytes: total_bytes, total_bytes };
        Self { lengths: BTreeMap::new(), free }
    }

    /// Carries a request out.
    pub(crate) fn answer(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::Open { path, .. } => {
                let len = *self.lengths.entry(path.to_string()).or_default();
                return Ok(DiskDone::Opened { file: FileHandle::new(AnsweringFile(path)), len });
            }
            DiskOp::Write { file, position, bytes } => {
                let len = self.length_of(&file);
                *len = (*len).max(position + bytes.len() as u64);
            }
            DiskOp::Allocate { file, position, len } => *self.length_of(&file) = position + len,
            DiskOp::SetLength { file, len } => *self.length_of(&file) = len,
            DiskOp::Remove { path } => {
                self.lengths.remove(&path.to_string()).ok_or(DiskError::NotFound)?;
            }
            DiskOp::FreeSpace { .. } => return Ok(DiskDone::Free(self.free)),
            op @ (DiskOp::Read { .. } | DiskOp::ReadFile { .. } | DiskOp::List { .. }) => {
                unreachable!("it keeps no byte: {op:?}")
            }
            _ => {}
        }
        Ok(DiskDone::Done)
    }

    fn length_of(&mut self, file: &FileHandle) -> &mut u64 {
        let file: &AnsweringFile = file.downcast().expect("opened here");
        self.lengths.get_mut(&file.0.to_string()).expect("not removed")
    }
}
