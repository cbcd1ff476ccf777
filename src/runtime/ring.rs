//! One io_uring per core: disk requests go in, completions and readiness of sockets come out.
//!
//! A plain loop over one ring answers 1.35 times the requests of one task per connection on an
//! async executor (ARCHITECTURE.md has the figures), and has no task that could leak or starve.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::types::{Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use slab::Slab;

use super::file::RuntimeFile;
use crate::io::{Buffer, DiskDone, DiskError, DiskResult, FileHandle, MemoryRange};

/// Entries of the submission queue: what is asked within one turn beyond that waits in a queue.
const SUBMISSION_ENTRIES: u32 = 512;
/// Entries of the completion queue: one per connection may arrive at once; more overflow into the
/// kernel's own list, which is slower but loses nothing.
const COMPLETION_ENTRIES: u32 = 16 * 1024;

const KIND_SHIFT: u32 = 56;
const KIND_DISK: u64 = 1;
const KIND_READABLE: u64 = 2;
const KIND_WRITABLE: u64 = 3;
const KIND_REMOVAL: u64 = 4;

/// What the ring reports. `T` names a disk request of the caller.
#[derive(Debug)]
pub enum Completion<T> {
    /// A disk request has ended.
    Disk(T, DiskResult),
    /// A watched descriptor became readable, or was closed by the peer.
    Readable(u64),
    /// A watched descriptor's peer sends no more: what it sent has to be read up to its end, since
    /// nothing else will be reported.
    Ended(u64),
    /// A watched descriptor's connection is over in both directions: nobody hears an answer.
    Gone(u64),
    /// A descriptor watched for writing became writable.
    Writable(u64),
}

/// What is watched for on the reading side: bytes, and that the peer has ended its sending. The end
/// alone makes no second report when it came together with bytes.
const READABLE: libc::c_short = libc::POLLIN | libc::POLLRDHUP;
/// Of what a poll reports, that no more will come.
const ENDED: i32 = libc::POLLRDHUP as i32;
/// That the connection is reset, or ended by both.
const GONE: i32 = (libc::POLLHUP | libc::POLLERR) as i32;

/// A disk request that the kernel can run without a thread of ours.
#[derive(Debug)]
pub enum RingOp {
    /// Write all of `bytes` at `position`.
    Write {
        /// The file.
        file: FileHandle,
        /// Where.
        position: u64,
        /// What.
        bytes: MemoryRange,
    },
    /// Read `len` bytes from `position`, fewer at the end of the file.
    Read {
        /// The file.
        file: FileHandle,
        /// Where.
        position: u64,
        /// How much.
        len: usize,
    },
    /// `fdatasync`.
    Sync {
        /// The file.
        file: FileHandle,
    },
    /// `fallocate`, extending the file.
    Allocate {
        /// The file.
        file: FileHandle,
        /// Where.
        position: u64,
        /// How much.
        len: u64,
    },
}

/// A request in the kernel's hands: it keeps file and memory alive until the completion.
struct InFlight<T> {
    name: T,
    op: RingOp,
    /// Where a read puts its bytes; empty capacity for other requests.
    buffer: Option<Buffer>,
    /// Bytes moved so far, when the kernel did less than was asked.
    done: usize,
}

/// The ring of one core. Not `Send`: made and used by the core's own thread.
pub struct Ring<T> {
    ring: IoUring,
    in_flight: Slab<InFlight<T>>,
    /// What did not fit into the submission queue.
    overflow: VecDeque<squeue::Entry>,
    /// Watches that the kernel ended by itself and that must be set again.
    rearm: Vec<(u64, RawFd)>,
    watched: hashbrown::HashMap<u64, RawFd, foldhash::fast::FixedState>,
    finished: Vec<(T, DiskResult)>,
    /// Completions of this turn, copied out so that the queue is free while they are handled.
    arrived: Vec<cqueue::Entry>,
}

impl<T> Ring<T> {
    /// A ring for the calling thread.
    ///
    /// # Errors
    /// When the kernel refuses: io_uring disabled, too little locked memory, or too old (6.1).
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(COMPLETION_ENTRIES)
            .build(SUBMISSION_ENTRIES)?;
        Ok(Self {
            ring,
            in_flight: Slab::new(),
            overflow: VecDeque::new(),
            rearm: Vec::new(),
            watched: hashbrown::HashMap::default(),
            finished: Vec::new(),
            arrived: Vec::new(),
        })
    }

    /// Disk requests that have not completed.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Asks for a disk request; its completion carries `name`.
    pub fn start(&mut self, name: T, op: RingOp) {
        let buffer = match &op {
            RingOp::Read { len, .. } => Some(Buffer::with_capacity(*len)),
            _ => None,
        };
        let key = self.in_flight.insert(InFlight { name, op, buffer, done: 0 });
        self.submit_request(key);
    }

    fn submit_request(&mut self, key: usize) {
        let request = &mut self.in_flight[key];
        let entry = match &request.op {
            RingOp::Write { file, position, bytes } => {
                let rest = &bytes[request.done..];
                let len = u32::try_from(rest.len()).expect("ranges stay below 4 GiB");
                opcode::Write::new(Fd(RuntimeFile::raw(file)), rest.as_ptr(), len)
                    .offset(*position + request.done as u64)
                    .build()
            }
            RingOp::Read { file, position, len } => {
                let buffer = request.buffer.as_mut().expect("made with the request");
                let rest = u32::try_from(*len - request.done).expect("reads stay below 4 GiB");
                opcode::Read::new(Fd(RuntimeFile::raw(file)), buffer.spare().as_mut_ptr(), rest)
                    .offset(*position + request.done as u64)
                    .build()
            }
            RingOp::Sync { file } => {
                opcode::Fsync::new(Fd(RuntimeFile::raw(file))).flags(FsyncFlags::DATASYNC).build()
            }
            RingOp::Allocate { file, position, len } => {
                opcode::Fallocate::new(Fd(RuntimeFile::raw(file)), *len).offset(*position).build()
            }
        };
        self.push(entry.user_data(KIND_DISK << KIND_SHIFT | key as u64));
    }

    /// Reports `token` whenever `descriptor` becomes readable, until [`Ring::unwatch`]. Tokens are
    /// unique over the life of the ring and below 2^56.
    pub fn watch_readable(&mut self, token: u64, descriptor: RawFd) {
        self.watched.insert(token, descriptor);
        self.push(poll_entry(KIND_READABLE, token, descriptor, READABLE, true));
    }

    /// Reports `token` once, when `descriptor` has room for writing again.
    pub fn watch_writable(&mut self, token: u64, descriptor: RawFd) {
        self.push(poll_entry(KIND_WRITABLE, token, descriptor, libc::POLLOUT, false));
    }

    /// Ends all watching under `token`; a report already on its way may still come.
    pub fn unwatch(&mut self, token: u64) {
        self.watched.remove(&token);
        for kind in [KIND_READABLE, KIND_WRITABLE] {
            // Not a PollRemove: that fails when the poll is just about to report, and the poll would
            // keep the closed socket open.
            let entry = opcode::AsyncCancel::new(kind << KIND_SHIFT | token).build();
            self.push(entry.user_data(KIND_REMOVAL << KIND_SHIFT));
        }
    }

    fn push(&mut self, entry: squeue::Entry) {
        if self.overflow.is_empty() {
            // SAFETY: what the entry points to is a range or buffer held in `in_flight` until its
            // completion, or nothing at all; descriptors outlive their requests likewise.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            if pushed.is_ok() {
                return;
            }
        }
        self.overflow.push_back(entry);
    }

    /// Hands everything asked so far to the kernel and collects what has completed, waiting up to
    /// `timeout` (without limit when `None`) for a first completion.
    ///
    /// # Errors
    /// When the kernel refuses to take requests, which nothing can be done about.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        out: &mut Vec<Completion<T>>,
    ) -> io::Result<()> {
        for (token, descriptor) in std::mem::take(&mut self.rearm) {
            if self.watched.get(&token) == Some(&descriptor) {
                self.push(poll_entry(KIND_READABLE, token, descriptor, READABLE, true));
            }
        }
        let mut timeout = timeout;
        while !self.overflow.is_empty() {
            self.enter(Some(Duration::ZERO))?;
            timeout = Some(Duration::ZERO);
            self.refill();
        }
        self.enter(timeout)?;
        self.collect(out);
        Ok(())
    }

    fn refill(&mut self) {
        let mut queue = self.ring.submission();
        while let Some(entry) = self.overflow.front() {
            // SAFETY: as in `push`.
            if unsafe { queue.push(entry) }.is_err() {
                break;
            }
            self.overflow.pop_front();
        }
    }

    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let submit = u32::try_from(self.ring.submission().len()).expect("a small queue");
        let ready = !self.ring.completion().is_empty();
        let wait = u32::from(!ready && timeout != Some(Duration::ZERO));
        let timespec = Timespec::from(timeout.unwrap_or(Duration::ZERO));
        let mut args = SubmitArgs::new();
        if wait > 0 && timeout.is_some() {
            args = args.timespec(&timespec);
        }
        let flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        // SAFETY: the queue's entries are valid (see `push`), and the argument is the one that
        // EXT_ARG announces and lives until the call returns.
        let entered =
            unsafe { self.ring.submitter().enter(submit, wait, flags.bits(), Some(&args)) };
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    fn collect(&mut self, out: &mut Vec<Completion<T>>) {
        let mut arrived = std::mem::take(&mut self.arrived);
        arrived.extend(self.ring.completion());
        for entry in arrived.drain(..) {
            let value = entry.user_data() & ((1 << KIND_SHIFT) - 1);
            match entry.user_data() >> KIND_SHIFT {
                KIND_DISK => self.disk_completed(value as usize, entry.result()),
                KIND_READABLE => {
                    if entry.result() == -libc::ECANCELED {
                        continue;
                    }
                    if !cqueue::more(entry.flags())
                        && let Some(descriptor) = self.watched.get(&value)
                    {
                        self.rearm.push((value, *descriptor));
                    }
                    out.push(match entry.result() {
                        events if events & GONE != 0 => Completion::Gone(value),
                        events if events & ENDED != 0 => Completion::Ended(value),
                        _ => Completion::Readable(value),
                    });
                }
                KIND_WRITABLE if entry.result() != -libc::ECANCELED => {
                    out.push(Completion::Writable(value));
                }
                _ => {}
            }
        }
        self.arrived = arrived;
        out.extend(self.finished.drain(..).map(|(name, result)| Completion::Disk(name, result)));
    }

    fn disk_completed(&mut self, key: usize, result: i32) {
        let request = &mut self.in_flight[key];
        if result == -libc::EINTR || result == -libc::EAGAIN {
            // The kernel did nothing yet: this is no failed request.
            self.submit_request(key);
            return;
        }
        let wanted = match &request.op {
            RingOp::Write { bytes, .. } => bytes.len(),
            RingOp::Read { len, .. } => *len,
            RingOp::Sync { .. } | RingOp::Allocate { .. } => 0,
        };
        if result > 0 {
            let moved = result as usize;
            request.done += moved;
            if let Some(buffer) = &mut request.buffer {
                buffer.advance(moved);
            }
            if request.done < wanted {
                self.submit_request(key);
                return;
            }
        }
        let request = self.in_flight.remove(key);
        let answer = match (result, request.buffer) {
            (..0, _) => Err(error_from(-result)),
            (0, _) if wanted > request.done && matches!(request.op, RingOp::Write { .. }) => {
                Err(DiskError::Other(libc::EIO))
            }
            (_, Some(buffer)) => Ok(DiskDone::Read(buffer.range(0..buffer.len()))),
            (_, None) => Ok(DiskDone::Done),
        };
        self.finished.push((request.name, answer));
    }
}

impl<T> Drop for Ring<T> {
    /// Waits for the kernel: memory that it writes into must not be freed under it.
    fn drop(&mut self) {
        while !self.in_flight.is_empty() {
            if self.enter(Some(Duration::from_secs(1))).is_err() {
                break;
            }
            let mut ignored = Vec::new();
            self.collect(&mut ignored);
        }
        if !self.in_flight.is_empty() {
            std::mem::forget(std::mem::take(&mut self.in_flight));
        }
    }
}

fn poll_entry(
    kind: u64,
    token: u64,
    descriptor: RawFd,
    events: libc::c_short,
    multi: bool,
) -> squeue::Entry {
    assert!(token >> KIND_SHIFT == 0, "tokens stay below 2^56");
    opcode::PollAdd::new(Fd(descriptor), events as u32)
        .multi(multi)
        .build()
        .user_data(kind << KIND_SHIFT | token)
}

/// The core's word for an error number.
pub(super) fn error_from(errno: i32) -> DiskError {
    match errno {
        libc::ENOENT => DiskError::NotFound,
        libc::ENOSPC | libc::EDQUOT => DiskError::Full,
        libc::EACCES | libc::EPERM | libc::EROFS => DiskError::Permission,
        libc::EMFILE | libc::ENFILE => DiskError::TooManyOpenFiles,
        other => DiskError::Other(other),
    }
}
