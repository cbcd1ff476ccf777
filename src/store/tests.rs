//! What a store does on a device that is full.

use super::*;
use crate::io::{AnsweringDisk, FreeSpace};
use crate::types::Timestamp;
use crate::wal::Urgency;

const KIB: usize = 1 << 10;
const TOTAL_BYTES: u64 = 1 << 40;

struct World {
    store: Store,
    disk: AnsweringDisk,
    now: Now,
}

impl World {
    fn new() -> Self {
        let root = FileName::new("data");
        let wal = WalLimits {
            bytes_max: 1 << 20,
            first_file_bytes: 64 << 10,
            file_bytes_max: 64 << 10,
            commit_bytes_max: 8 << 10,
        };
        let config = StoreConfig {
            log_directory: root.clone(),
            log_directory_id: Uuid::ZERO,
            wal_parent: root.join("wal"),
            wal_id: 1,
            shard: ShardId::FIRST,
            wal,
            tail_bytes_max: 1 << 20,
            checkpoint_bytes: 1 << 30,
            checkpoint_interval: Duration::from_secs(3600),
            reserve_bytes: 1 << 20,
            producer_expiry: Duration::from_secs(86_400),
            retention_interval: Duration::from_secs(3600),
            compaction: CompactionLimits {
                enabled: false,
                map_bytes_max: 64 << 10,
                bytes_per_second: u64::MAX,
                backoff: Duration::from_secs(3600),
            },
        };
        let now = Now { instant: Instant::new(0), timestamp: Timestamp::new(0) };
        let mut world =
            Self { store: Store::new(config), disk: AnsweringDisk::new(TOTAL_BYTES), now };
        world.store.open(now);
        world.settle();
        world.store.recovered(&[]);
        // Metadata that no snapshot has: a checkpoint frees nothing.
        world.store.set_metadata_generation(Some(1));
        world.settle();
        world
    }

    /// Turns, until the disk is asked for nothing.
    fn settle(&mut self) {
        loop {
            self.store.tick(self.now);
            self.store.end_turn(self.now);
            let mut requests = Vec::new();
            self.store.take_requests(&mut requests);
            if requests.is_empty() {
                return;
            }
            for request in requests {
                let answer = self.disk.answer(request.op);
                let owner = Owner::decode(request.owner);
                self.store.completed(owner, request.token, answer, self.now).unwrap();
            }
        }
    }

    fn look_at_the_device(&mut self, free_bytes: u64) {
        self.disk.free = FreeSpace { free_bytes, total_bytes: TOTAL_BYTES };
        self.now.instant = self.now.instant.after(Duration::from_secs(1));
        self.settle();
    }
}

#[test]
fn appends_that_would_wait_for_space_on_the_device_are_refused_until_there_is_some() {
    let mut world = World::new();
    // Enough for appends, too little for another file of the write-ahead log.
    world.look_at_the_device(2 << 20);
    while world.store.wal.has_room(4 * KIB, Urgency::Ordinary) {
        let _ = world.store.log_metadata(&[7; 4 * KIB]);
        world.settle();
    }
    assert!(!world.store.has_room(KIB), "it waits for a checkpoint");
    world.settle();
    assert!(world.store.has_room(KIB) && world.store.refuses(KIB), "which was in vain");
    world.look_at_the_device(1 << 30);
    assert!(world.store.has_room(KIB) && !world.store.refuses(KIB));
}
