//! What each shard is made with: its share of what the settings give to all.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::start::Start;
use crate::config::StorageSettings;
use crate::handlers::Identity;
use crate::io::{BLOCK_BYTES, FileName};
use crate::prng::Prng;
use crate::shard::ShardConfig;
use crate::store::{CompactionLimits, StoreConfig};
use crate::types::{ShardId, Uuid};
use crate::wal::WalLimits;

/// The first file of a write-ahead log is small, so that zeroing it does not delay the start.
const FIRST_FILE_BYTES: u64 = 4 << 20;
/// Of `memory.bytes`, requests that are not complete may hold one part in four.
const REQUESTS_SHARE: usize = 4;

/// One configuration for each core.
pub(super) fn configs(start: &Start, port: u16) -> Vec<ShardConfig> {
    let (settings, cores) = (&start.settings, usize::from(start.cores));
    let storage = &settings.storage;
    let (host, port) = start.told(port);
    // Clients are told of it, wherever the broker was started from.
    let root = std::path::absolute(&start.root).unwrap_or_else(|_| (&start.root).into());
    let root = FileName::new(&root.to_string_lossy());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut dice = Prng::new(now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32));
    let requests = storage.memory_bytes / REQUESTS_SHARE;
    let tail_bytes_max = (storage.memory_bytes - requests) / cores;
    (0..start.cores)
        .map(|shard| ShardConfig {
            shard: ShardId::new(shard),
            shards: start.cores,
            settings: Arc::clone(settings),
            identity: Identity {
                node: settings.node_id,
                host: host.clone(),
                port,
                rack: settings.rack.clone(),
            },
            root: root.clone(),
            seed: dice.next_u64(),
            request_memory_bytes: requests / cores,
            store: StoreConfig {
                log_directory: root.clone(),
                log_directory_id: Uuid::ZERO,
                wal_parent: root.join("wal"),
                wal_id: 0,
                shard: ShardId::new(shard),
                wal: wal_limits(storage, cores, tail_bytes_max),
                tail_bytes_max,
                checkpoint_bytes: storage.checkpoint_bytes,
                checkpoint_interval: storage.checkpoint_interval,
                reserve_bytes: storage.disk_reserve_bytes / u64::from(start.cores),
                producer_expiry: storage.producer_id_expiry,
                retention_interval: storage.retention_check_interval,
                compaction: CompactionLimits::share(&storage.compaction, start.cores),
            },
        })
        .collect()
}

/// The share of one core. The log makes a larger file by itself for a batch that needs it.
fn wal_limits(storage: &StorageSettings, cores: usize, tail_bytes_max: usize) -> WalLimits {
    let commit_bytes_max = storage.wal_commit_bytes_max;
    let first_file_bytes = FIRST_FILE_BYTES.max((commit_bytes_max + BLOCK_BYTES) as u64);
    let share = storage.wal_bytes_max / cores as u64;
    // A start holds a log that is full twice, as it was read and in the tails: together no more
    // than the tails may hold.
    let bytes_max = share.min(tail_bytes_max as u64 / 2).max(4 * first_file_bytes);
    WalLimits {
        bytes_max,
        first_file_bytes,
        file_bytes_max: storage.wal_file_bytes_max.min(bytes_max / 2),
        commit_bytes_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BrokerSettings, Machine, Sources};

    const MIB: u64 = 1 << 20;

    fn limits(memory_mib: u64, cores: usize) -> (u64, u64) {
        let machine = Machine { memory_bytes: 1 << 40, cores: 2 };
        let memory = format!("memory.bytes={}", memory_mib * MIB);
        let overrides = [memory.as_str()];
        let sources = Sources { file: None, overrides: &overrides, machine, strict: true };
        let storage = BrokerSettings::resolve(&sources).unwrap().settings.storage;
        let tail_bytes_max = (memory_mib * MIB) as usize / cores;
        let limits = wal_limits(&storage, cores, tail_bytes_max);
        (limits.bytes_max / MIB, limits.file_bytes_max / MIB)
    }

    /// `wal.bytes.max` and `wal.file.bytes` are 1,024 and 128 MiB.
    #[test]
    fn what_a_start_may_have_to_replay_fits_twice_into_the_memory_of_the_tails() {
        assert_eq!(limits(8192, 1), (1024, 128));
        assert_eq!(limits(8192, 2), (512, 128));
        assert_eq!(limits(1024, 1), (512, 128));
        assert_eq!(limits(256, 2), (64, 32));
        // Below that, a commit and its files would not fit.
        assert_eq!(limits(64, 16), (16, 8));
    }
}
