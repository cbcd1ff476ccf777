//! Waking a core that sleeps in its ring.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Wakes one core. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Waker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    descriptor: OwnedFd,
    /// The core is about to sleep, or sleeps: whoever finds this set wakes it.
    asleep: AtomicBool,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        let descriptor = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self(Arc::new(Inner { descriptor, asleep: AtomicBool::new(false) })))
    }

    /// To be watched by the core's ring.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.descriptor.as_raw_fd()
    }

    /// Wakes the core if it sleeps. Whatever it is to find must be in place before.
    pub(super) fn wake(&self) {
        if self.0.asleep.swap(false, Ordering::SeqCst) {
            // It can only fail when the counter is full, and then the core is being woken.
            let _ = rustix::io::write(self.0.descriptor.as_fd(), &1u64.to_ne_bytes());
        }
    }

    /// The core is about to sleep: it has to look once more after this.
    pub(super) fn falls_asleep(&self) {
        self.0.asleep.store(true, Ordering::SeqCst);
    }

    /// The core is awake.
    pub(super) fn is_awake(&self) {
        self.0.asleep.store(false, Ordering::SeqCst);
    }

    /// Takes the wake-ups that came.
    pub(super) fn clear(&self) {
        let mut count = [0; 8];
        // Empty is as good.
        let _ = rustix::io::read(self.0.descriptor.as_fd(), &mut count);
    }
}
