//! Reads a sealed segment from its start to its end, some whole batches at a time: for those who
//! must see every batch and cannot rely on an index.

use super::{Place, ReadError};
use crate::io::{DiskDone, DiskOp, DiskResult, FileHandle, FileName, MemoryRange, OpenMode};
use crate::record::{Batches, BatchesEnd};
use crate::types::{Offset, Position};

/// Read at once, unless a batch is larger.
const WINDOW_BYTES: usize = 256 << 10;

/// A scan that has begun. It asks for one thing at a time.
#[derive(Debug)]
pub struct SegmentScan {
    path: FileName,
    size: Position,
    file: Option<FileHandle>,
    place: Place,
    window_bytes: usize,
}

impl SegmentScan {
    /// A scan of the segment at `base`, whose log file has `size` bytes.
    pub fn new(path: FileName, base: Offset, size: Position) -> Self {
        let place = Place { segment_base_offset: base, position: Position::ZERO };
        Self { path, size, file: None, place, window_bytes: WINDOW_BYTES }
    }

    /// What to ask the disk for; `None` when every batch has been seen.
    pub fn ask(&self) -> Option<DiskOp> {
        let position = self.place.position.get();
        let left = usize::try_from(self.size.get() - position).unwrap_or(usize::MAX);
        if left == 0 {
            return None;
        }
        Some(match &self.file {
            Some(file) => {
                DiskOp::Read { file: file.clone(), position, len: left.min(self.window_bytes) }
            }
            None => {
                let path = self.path.clone();
                DiskOp::Open { path, mode: OpenMode::ReadOnly, create: false }
            }
        })
    }

    /// Takes the answer: the batches that follow those seen before, or none yet.
    ///
    /// # Errors
    /// The segment cannot be read, or its bytes are no batches.
    pub fn completed(&mut self, result: DiskResult) -> Result<Option<MemoryRange>, ReadError> {
        let bytes = match result.map_err(ReadError::Disk)? {
            DiskDone::Opened { file, .. } => {
                self.file = Some(file);
                return Ok(None);
            }
            DiskDone::Read(bytes) => bytes,
            done => unreachable!("a scan was answered by {done:?}"),
        };
        let corrupt = Err(ReadError::Corrupt(self.place));
        let mut batches = Batches::new(&bytes);
        batches.by_ref().for_each(drop);
        let (seen, end) = (batches.position(), batches.end());
        if seen > 0 {
            self.place.position = self.place.position.plus(seen as u64);
            self.window_bytes = WINDOW_BYTES;
            return Ok(Some(bytes.slice(0..seen)));
        }
        let Some(BatchesEnd::Partial { bytes_needed }) = end else { return corrupt };
        let fits = bytes_needed as u64 <= self.size.get() - self.place.position.get();
        // A file that is shorter than it was would be asked for the same for ever.
        if !fits || bytes_needed <= self.window_bytes && self.window_bytes > WINDOW_BYTES {
            return corrupt;
        }
        self.window_bytes = bytes_needed.max(WINDOW_BYTES + 1);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, BatchOptions, NewRecord};
    use crate::types::Timestamp;

    fn batches(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (offset, size) in (0..).zip(sizes) {
            let options = BatchOptions { base_offset: Offset::new(offset), ..Default::default() };
            let mut builder = BatchBuilder::new(options);
            let value = vec![7; *size];
            let timestamp = Timestamp::new(1);
            let record = NewRecord { timestamp, key: None, value: Some(&value), headers: &[] };
            builder.append(&record).unwrap();
            builder.finish(&mut bytes).unwrap();
        }
        bytes
    }

    #[derive(Debug)]
    struct NoFile;

    impl crate::io::OpenFile for NoFile {
        fn as_any(&self) -> &dyn core::any::Any {
            self
        }
    }

    /// All batches of a file that reads as `bytes`, whatever its length should be.
    fn scan(bytes: &[u8], size: u64) -> Result<usize, ReadError> {
        let path = FileName::new("/data/a-0/0.log");
        let mut scan = SegmentScan::new(path, Offset::ZERO, Position::new(size));
        let mut count = 0;
        while let Some(op) = scan.ask() {
            let done = match op {
                DiskOp::Open { .. } => DiskDone::Opened { file: FileHandle::new(NoFile), len: 0 },
                DiskOp::Read { position, len, .. } => {
                    let start = bytes.len().min(position as usize);
                    let end = bytes.len().min(start + len);
                    DiskDone::Read(MemoryRange::copy_of(&bytes[start..end]))
                }
                other => panic!("{other:?}"),
            };
            count += scan.completed(Ok(done))?.map_or(0, |bytes| Batches::new(&bytes).count());
        }
        Ok(count)
    }

    #[test]
    fn sees_every_batch_small_or_larger_than_its_window() {
        let bytes = batches(&[100, WINDOW_BYTES * 2, 5, WINDOW_BYTES - 100, 100, 70_000, 1]);
        assert_eq!(scan(&bytes, bytes.len() as u64), Ok(7));
        assert_eq!(scan(&[], 0), Ok(0));
    }

    #[test]
    fn ends_at_bytes_that_are_no_batches_and_at_a_file_that_is_too_short() {
        let mut bytes = batches(&[100, WINDOW_BYTES * 2]);
        let size = bytes.len() as u64;
        assert!(matches!(scan(&bytes[..bytes.len() - 1], size), Err(ReadError::Corrupt(_))));
        assert!(matches!(scan(&bytes[..200], size), Err(ReadError::Corrupt(_))));
        bytes.extend_from_slice(&[0; 500]);
        assert!(matches!(scan(&bytes, size + 500), Err(ReadError::Corrupt(_))));
    }
}
