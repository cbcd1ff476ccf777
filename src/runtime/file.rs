//! An open file of the runtime, and the thread that closes files.

use std::any::Any;
use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::io::{FileHandle, OpenFile};

/// A descriptor that is closed on another thread when the last handle goes: closing the last
/// reference to an unlinked gigabyte frees its blocks, which takes tens of milliseconds.
#[derive(Debug)]
pub(super) struct RuntimeFile {
    descriptor: Option<OwnedFd>,
    closer: Closer,
    /// The file as memory, never touched: only to ask the kernel which pages it has.
    map: OnceLock<Option<Map>>,
}

/// A mapping of a whole file.
#[derive(Debug)]
struct Map {
    start: *mut c_void,
    len: usize,
}

// SAFETY: the mapping's memory is never read or written here; its address is only a name for pages
// in system calls, which any thread may make.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    fn new(file: BorrowedFd<'_>) -> Option<Self> {
        let len = usize::try_from(rustix::fs::fstat(file).ok()?.st_size).ok()?;
        if len == 0 {
            return None;
        }
        // SAFETY: a new mapping at an address that the kernel chooses touches no other memory.
        let start =
            unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file, 0) };
        Some(Self { start: start.ok()?, len })
    }

    /// The pages of a part of the file, as far as it is mapped.
    fn pages(&self, position: u64, len: u64) -> Option<(*mut c_void, usize)> {
        let start = usize::try_from(position).ok()? & !(PAGE_BYTES - 1);
        let end = usize::try_from(position + len).ok()?.min(self.len);
        // SAFETY: within the mapping.
        (start < end).then(|| (unsafe { self.start.byte_add(start) }, end - start))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length, and unmapped only here.
        let _ = unsafe { munmap(self.start, self.len) };
    }
}

const PAGE_BYTES: usize = 4096;

impl RuntimeFile {
    /// Takes a descriptor into a handle for the core.
    pub(super) fn handle(descriptor: OwnedFd, closer: Closer) -> FileHandle {
        let map = OnceLock::new();
        FileHandle::new(Self { descriptor: Some(descriptor), closer, map })
    }

    /// The descriptor behind a handle.
    pub(super) fn of(handle: &FileHandle) -> BorrowedFd<'_> {
        let file: &Self = handle.downcast().expect("handles come from this runtime only");
        file.descriptor.as_ref().expect("present until dropped").as_fd()
    }

    /// The raw number behind a handle, valid while the handle lives.
    pub(super) fn raw(handle: &FileHandle) -> RawFd {
        Self::of(handle).as_raw_fd()
    }
}

/// Pages asked about by one call.
const PAGES_MAX: usize = 128;

impl RuntimeFile {
    fn map(&self) -> Option<&Map> {
        let descriptor = self.descriptor.as_ref()?;
        self.map.get_or_init(|| Map::new(descriptor.as_fd())).as_ref()
    }

    /// Whether a part of a file is in the page cache, so that sending it does not wait for the
    /// disk. `true` as well when the kernel does not say.
    pub(super) fn is_resident(handle: &FileHandle, position: u64, len: u64) -> bool {
        let file: &Self = handle.downcast().expect("handles come from this runtime only");
        let pages = file.map().and_then(|map| map.pages(position, len));
        let Some((start, bytes)) = pages else { return true };
        let mut states = [0u8; PAGES_MAX];
        let count = bytes.div_ceil(PAGE_BYTES);
        if count > PAGES_MAX {
            return true;
        }
        // SAFETY: the range is mapped, and the vector has a byte for each of its pages.
        let answer = unsafe { libc::mincore(start, bytes, states.as_mut_ptr()) };
        answer != 0 || states[..count].iter().all(|state| state & 1 == 1)
    }

    /// Waits until a part of a file is in the page cache, or cannot be.
    pub(super) fn warm(handle: &FileHandle, position: u64, len: u64) {
        let file: &Self = handle.downcast().expect("handles come from this runtime only");
        if let Some((start, bytes)) = file.map().and_then(|map| map.pages(position, len)) {
            // A failure shows again when the part is sent.
            // SAFETY: the range is mapped; populating it changes no memory.
            let _ = unsafe { madvise(start, bytes, Advice::LinuxPopulateRead) };
        }
    }
}

impl OpenFile for RuntimeFile {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for RuntimeFile {
    fn drop(&mut self) {
        if let Some(descriptor) = self.descriptor.take() {
            self.closer.close(descriptor);
        }
    }
}

/// Hands descriptors to the closing thread.
#[derive(Clone, Debug)]
pub struct Closer(Sender<OwnedFd>);

impl Closer {
    /// A closer, and the queue that [`run_closer`] serves.
    pub fn new() -> (Self, Receiver<OwnedFd>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }

    fn close(&self, descriptor: OwnedFd) {
        // When the thread is gone the process is ending: dropping the descriptor here closes it.
        let _ = self.0.send(descriptor);
    }
}

/// Closes what comes until every [`Closer`] is gone.
pub fn run_closer(queue: &Receiver<OwnedFd>) {
    while let Ok(descriptor) = queue.recv() {
        drop(descriptor);
    }
}
