//! An open file of the runtime, and the thread that closes files.

use std::any::Any;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::io::{FileHandle, OpenFile};

/// A descriptor that is closed on another thread when the last handle goes: closing the last
/// reference to an unlinked gigabyte frees its blocks, which takes tens of milliseconds.
#[derive(Debug)]
pub(super) struct RuntimeFile {
    descriptor: Option<OwnedFd>,
    closer: Closer,
}

impl RuntimeFile {
    /// Takes a descriptor into a handle for the core.
    pub(super) fn handle(descriptor: OwnedFd, closer: Closer) -> FileHandle {
        FileHandle::new(Self { descriptor: Some(descriptor), closer })
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
