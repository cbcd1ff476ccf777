//! Room on the device. Appends are admitted only while every byte that is not yet in a segment could
//! get there: out of space reserved for its segment, or out of the reserve that is set aside.

use core::time::Duration;

use super::StoreConfig;
use crate::io::{
    DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, FileHandle, FileName, FreeSpace, OpenMode,
};
use crate::types::Instant;

/// How often the free space is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// The reserve of a small device is this part of it at most.
const RESERVE_SHARE: u64 = 64;
/// Bytes without space reserved for them may be this part of the free space: until the next look
/// nobody takes the rest, though every shard counts like this.
const FREE_SHARE: u64 = 256;

const TOKEN_FREE: u32 = 0;
const TOKEN_OPEN: u32 = 1;
const TOKEN_RESERVE: u32 = 2;
const TOKEN_RELEASE: u32 = 3;

#[derive(Debug)]
pub(super) struct Space {
    reserve_bytes: u64,
    free: Option<FreeSpace>,
    asked: bool,
    next_look: Instant,
    file: Option<FileHandle>,
    reserve: Reserve,
    /// The write-ahead log needs it to begin at all.
    wanted_back: bool,
    /// Bytes in memory for which no segment has space reserved.
    unreserved: u64,
    /// Logs whose reservation failed.
    starved: Vec<u32>,
}

/// The file of set-aside space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reserve {
    /// Nobody has looked yet.
    Unknown,
    Missing,
    /// Being filled or emptied.
    Changing,
    Held,
    /// Given back to the device, for those who had been promised space.
    Released,
}

impl Space {
    /// What was free at the last look.
    pub(super) fn last_seen(&self) -> Option<FreeSpace> {
        self.free
    }

    pub(super) fn new(reserve_bytes: u64) -> Self {
        Self {
            reserve_bytes,
            free: None,
            // Until the store is opened there is nothing to look at.
            asked: true,
            next_look: Instant::new(0),
            file: None,
            reserve: Reserve::Unknown,
            wanted_back: false,
            unreserved: 0,
            starved: Vec::new(),
        }
    }

    pub(super) fn open(&mut self, config: &StoreConfig, now: Instant, queue: &mut DiskQueue<'_>) {
        let path = reserve_path(config);
        queue.push(TOKEN_OPEN, DiskOp::Open { path, mode: OpenMode::Buffered, create: true });
        self.look(config, now, queue);
    }

    fn look(&mut self, config: &StoreConfig, now: Instant, queue: &mut DiskQueue<'_>) {
        self.asked = true;
        self.next_look = now.after(INTERVAL);
        queue.push(TOKEN_FREE, DiskOp::FreeSpace { path: config.log_directory.clone() });
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.asked).then_some(self.next_look)
    }

    pub(super) fn tick(&mut self, config: &StoreConfig, now: Instant, queue: &mut DiskQueue<'_>) {
        if !self.asked && now >= self.next_look {
            self.look(config, now, queue);
        }
    }

    /// Whether it is known how much there is.
    pub(super) fn is_known(&self) -> bool {
        self.free.is_some()
    }

    /// What the device has left.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.free.map(|free| free.free_bytes)
    }

    /// Whether the device is full, as far as appends go.
    pub(super) fn is_full(&self) -> bool {
        let low = self.free.is_some_and(|free| free.free_bytes < self.reserve_of(free) / 2);
        low || self.reserve == Reserve::Released || !self.starved.is_empty()
    }

    fn reserve_of(&self, free: FreeSpace) -> u64 {
        self.reserve_bytes.min(free.total_bytes / RESERVE_SHARE)
    }

    /// Bytes that the write-ahead log may take without bringing the device near to full.
    pub(super) fn spare_bytes(&self) -> u64 {
        let Some(free) = self.free else { return 0 };
        let absent = u64::from(self.reserve != Reserve::Held);
        free.free_bytes.saturating_sub((2 + absent) * self.reserve_of(free))
    }

    /// Whether `bytes` more may be in memory without space reserved for them.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let Some(free) = self.free else { return false };
        let most = self.reserve_of(free).max(free.free_bytes / FREE_SHARE);
        self.unreserved + bytes <= most.max(bytes)
    }

    /// A log's bytes without reserved space went from `before` to `after`.
    pub(super) fn reserved(&mut self, before: u64, after: u64) {
        self.unreserved = self.unreserved + after - before;
    }

    /// A reservation failed: the reserve is given back, so that what was admitted gets its space.
    pub(super) fn starved(&mut self, slot: u32, queue: &mut DiskQueue<'_>) {
        if !self.starved.contains(&slot) {
            self.starved.push(slot);
        }
        self.release(queue);
    }

    fn release(&mut self, queue: &mut DiskQueue<'_>) {
        if let (Some(file), Reserve::Held) = (&self.file, self.reserve) {
            self.reserve = Reserve::Changing;
            queue.push(TOKEN_RELEASE, DiskOp::SetLength { file: file.clone(), len: 0 });
        }
    }

    /// Gives the reserve back, because the write-ahead log cannot begin without. Returns whether
    /// there is a chance that this helps.
    pub(super) fn give_back(&mut self, queue: &mut DiskQueue<'_>) -> bool {
        self.wanted_back = true;
        self.release(queue);
        matches!(self.reserve, Reserve::Unknown | Reserve::Changing)
    }

    /// Logs that may try again.
    pub(super) fn take_starved(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.starved)
    }

    /// Takes an answer; `true` when there may be space for those who found none. Those who were
    /// promised space need less than what sets the reserve aside again.
    pub(super) fn completed(
        &mut self,
        token: u32,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> bool {
        match (token, result) {
            (TOKEN_FREE, result) => {
                self.asked = false;
                if let Ok(DiskDone::Free(free)) = result {
                    self.free = Some(free);
                }
                self.restock(queue);
                return self.free.is_some_and(|free| free.free_bytes > 0);
            }
            (TOKEN_OPEN, Ok(DiskDone::Opened { file, len })) => {
                self.file = Some(file);
                // What an earlier life set aside is set aside still.
                self.reserve = if len > 0 { Reserve::Held } else { Reserve::Missing };
                if self.wanted_back {
                    self.release(queue);
                    return self.reserve == Reserve::Missing;
                }
            }
            (TOKEN_RESERVE, Ok(_)) => self.reserve = Reserve::Held,
            (TOKEN_RESERVE, Err(DiskError::Full)) => self.reserve = Reserve::Released,
            (TOKEN_RELEASE, Ok(_)) => {
                self.reserve = Reserve::Released;
                return true;
            }
            // Without a reserve appends stop earlier; nothing else depends on it.
            (_, _) => self.reserve = Reserve::Missing,
        }
        false
    }

    /// Sets space aside again once there is enough.
    fn restock(&mut self, queue: &mut DiskQueue<'_>) {
        let Some(free) = self.free else { return };
        let wanted = self.reserve_of(free);
        let plenty = free.free_bytes >= 2 * wanted;
        let absent = matches!(self.reserve, Reserve::Missing | Reserve::Released);
        if let (Some(file), true) = (&self.file, absent && plenty && wanted > 0) {
            self.reserve = Reserve::Changing;
            let reserve = DiskOp::Allocate { file: file.clone(), position: 0, len: wanted };
            queue.push(TOKEN_RESERVE, reserve);
        }
    }
}

/// The file of set-aside space of one shard.
fn reserve_path(config: &StoreConfig) -> FileName {
    config.log_directory.join(&format!("reserve.{}", config.shard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_much_is_free_more_may_wait_than_the_reserve() {
        let mut space = Space::new(1 << 20);
        space.free = Some(FreeSpace { free_bytes: 1 << 30, total_bytes: 1 << 40 });
        space.reserved(0, 3 << 20);
        assert!(space.has_room(1 << 20) && !space.has_room((1 << 20) + 1));
        space.free = Some(FreeSpace { free_bytes: 8 << 20, total_bytes: 1 << 40 });
        assert!(!space.has_room(1));
        space.reserved(3 << 20, 0);
        assert!(space.has_room(4 << 20), "one that is larger than all goes alone");
    }
}
