//! The vocabulary between the core and its drivers: memory that the kernel may hold on to, and
//! what the core asks of a disk. Nothing here performs I/O.

mod disk;
mod memory;

pub use disk::{
    DirectoryEntry, DiskDone, DiskError, DiskOp, DiskQueue, DiskRequest, DiskResult, EntryKind,
    FileHandle, FileName, FreeSpace, OpenFile, OpenMode,
};
pub use memory::{BLOCK_BYTES, Buffer, MemoryRange, round_down_to_block, round_up_to_block};

#[cfg(test)]
mod answering;
#[cfg(test)]
pub(crate) use answering::AnsweringDisk;
