//! `millstream serve`.

use std::sync::Arc;

use crate::config::BrokerSettings;
use crate::handlers::Identity;
use crate::io::FileName;
use crate::prng::Prng;
use crate::runtime::Broker;
use crate::shard::ShardConfig;
use crate::store::StoreConfig;
use crate::types::{NodeId, ShardId, Uuid};
use crate::wal::WalLimits;

/// Runs a broker.
pub fn run(dir: &str, port: u16, cores: u16) {
    let sources = crate::config::Sources {
        file: None,
        overrides: &[],
        machine: crate::config::Machine { memory_bytes: 4 << 30 },
        strict: false,
    };
    let settings = Arc::new(BrokerSettings::resolve(&sources).expect("defaults").settings);
    let root = FileName::new(dir);
    let mut seed = Prng::new(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos() as u64,
    );
    let configs = (0..cores)
        .map(|shard| ShardConfig {
            shard: ShardId::new(shard),
            shards: cores,
            settings: Arc::clone(&settings),
            identity: Identity { node: NodeId::new(1), host: "127.0.0.1".into(), port, rack: None },
            root: root.clone(),
            seed: seed.next_u64(),
            request_memory_bytes: 512 << 20,
            store: StoreConfig {
                log_directory: root.clone(),
                log_directory_id: Uuid::ZERO,
                wal_parent: root.join("wal"),
                wal_id: 0,
                shard: ShardId::new(shard),
                wal: WalLimits {
                    bytes_max: 1 << 30,
                    first_file_bytes: 4 << 20,
                    file_bytes_max: 64 << 20,
                    commit_bytes_max: 1 << 20,
                },
                tail_bytes_max: 1 << 30,
                checkpoint_bytes: 64 << 20,
                checkpoint_interval: std::time::Duration::from_secs(5),
                reserve_bytes: 64 << 20,
                producer_expiry: std::time::Duration::from_secs(86400),
            },
        })
        .collect();
    let start = std::time::Instant::now();
    let mut broker =
        Broker::start(configs, ([127, 0, 0, 1], port).into()).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(1)
        });
    broker.wait_until_serving().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1)
    });
    println!("serving on 127.0.0.1:{port} after {:?}", start.elapsed());
    let stopper = broker.stopper();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        if line.starts_with("stop") {
            stopper.stop();
        }
    });
    if let Err(error) = broker.wait() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
