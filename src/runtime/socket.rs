//! One client's socket: direct, non-blocking calls.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};
use smallvec::SmallVec;

use super::file::RuntimeFile;
use crate::connection::{Outbox, Piece};
use crate::io::FileHandle;

/// Pieces of memory sent by one call.
const SLICES_MAX: usize = 64;
/// How much of a file is sent by one call: the core is not away for longer than that takes.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// What a call brought.
#[derive(Debug)]
pub(super) enum Moved {
    /// So many bytes, from or to memory.
    Bytes(usize),
    /// So many bytes of a file, which never came to memory of this process.
    FileBytes(usize),
    /// Nothing now: the socket reports when there will be.
    Blocked,
    /// The client is gone.
    Gone,
    /// The part of the file has to be read from the disk first.
    Cold { file: FileHandle, position: u64, len: u64 },
}

#[derive(Debug)]
pub(super) struct Socket {
    descriptor: OwnedFd,
    /// It is among those to be read from.
    pub(super) ready: bool,
    /// Nothing more will be reported: it is read from until its end shows.
    pub(super) ended: bool,
    /// The connection is over: it is kept only while what the client sent can be read.
    pub(super) gone: bool,
    /// It is watched until it can be written to, or a file is being read for it.
    pub(super) blocked: bool,
}

impl Socket {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self { descriptor, ready: false, ended: false, gone: false, blocked: false }
    }

    pub(super) fn raw(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Reads what is there.
    pub(super) fn receive(&self, space: &mut [u8]) -> Moved {
        match recv(self.descriptor.as_fd(), space, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Moved::Gone,
            Ok((bytes, _)) => Moved::Bytes(bytes),
            Err(error) => moved_by(error.into()),
        }
    }

    /// Sends the front of what waits.
    pub(super) fn send(&self, outbox: &Outbox) -> Moved {
        let mut slices: SmallVec<[IoSlice<'_>; 8]> = SmallVec::new();
        let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        for piece in outbox.pieces() {
            match piece {
                Piece::Bytes(bytes) if slices.len() < SLICES_MAX => {
                    slices.push(IoSlice::new(bytes));
                }
                Piece::Bytes(_) => break,
                Piece::File { file, position, len } if slices.is_empty() => {
                    return self.send_file(file, position, len);
                }
                Piece::File { .. } => {
                    // The header must not travel in a segment of its own.
                    flags |= SendFlags::MORE;
                    break;
                }
            }
        }
        let mut control = SendAncillaryBuffer::default();
        match sendmsg(self.descriptor.as_fd(), &slices, &mut control, flags) {
            Ok(bytes) => Moved::Bytes(bytes),
            Err(error) => moved_by(error.into()),
        }
    }

    fn send_file(&self, file: &FileHandle, position: u64, len: u64) -> Moved {
        let len = len.min(FILE_BYTES_MAX);
        if !RuntimeFile::is_resident(file, position, len) {
            return Moved::Cold { file: file.clone(), position, len };
        }
        let mut offset = position;
        let source = RuntimeFile::of(file);
        let len = usize::try_from(len).expect("bounded above");
        match rustix::fs::sendfile(self.descriptor.as_fd(), source, Some(&mut offset), len) {
            // The file ended early: what was promised cannot be sent.
            Ok(0) => Moved::Gone,
            Ok(bytes) => Moved::FileBytes(bytes),
            Err(error) => moved_by(error.into()),
        }
    }
}

fn moved_by(error: io::Error) -> Moved {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Moved::Blocked,
        _ => Moved::Gone,
    }
}
