//! The settings of a run, made from its seed.

use super::model::Cleanup;
use crate::config::{BrokerSettings, Machine, Sources};
use crate::prng::Prng;

/// What the topics of a run lose, and the settings for it. From its own dice, so that a seed that
/// loses nothing goes as it did before there was anything to lose.
pub(super) fn cleanup(seed: u64) -> (Cleanup, Vec<String>) {
    let mut prng = Prng::new(seed ^ 0xc1ea);
    let cleanup = match prng.below(10) {
        0..4 => Cleanup::Nothing,
        4 => Cleanup::Retention,
        5 => Cleanup::Deletion,
        6..8 => Cleanup::Compaction,
        8 => Cleanup::CompactionAndExpiry,
        _ => Cleanup::CompactionAndDeletion,
    };
    let settings = match cleanup {
        Cleanup::Nothing | Cleanup::Deletion => Vec::new(),
        Cleanup::Retention => vec![
            format!("log.retention.ms={}", 100 + prng.below(2000)),
            format!("log.retention.bytes={}", (20_000 + prng.below(100_000)) as i64),
        ],
        _ => {
            let both = cleanup == Cleanup::CompactionAndDeletion;
            let policy = if both { "compact,delete" } else { "compact" };
            let mut settings = vec![
                format!("log.cleanup.policy={policy}"),
                format!("log.cleaner.min.cleanable.ratio=0.{}", prng.below(6)),
            ];
            if cleanup == Cleanup::CompactionAndExpiry {
                settings.push(format!("log.cleaner.delete.retention.ms={}", prng.below(200)));
            }
            if prng.percent(25) {
                settings.push(format!("log.cleaner.min.compaction.lag.ms={}", prng.below(500)));
            }
            settings
        }
    };
    (cleanup, settings)
}

/// A broker's settings with sizes small enough that everything happens often.
pub(super) fn settings(prng: &mut Prng, cleanup: &[String]) -> BrokerSettings {
    let partitions = format!("num.partitions={}", 1 + prng.below(4));
    let segment_bytes = 8 << 10 << prng.below(5);
    let mut overrides = vec![&*partitions, "max.incremental.fetch.session.cache.slots=3"];
    overrides.extend(cleanup.iter().map(String::as_str));
    let sources = Sources {
        file: None,
        overrides: &overrides,
        machine: Machine { memory_bytes: 1 << 30, cores: 2 },
        strict: true,
    };
    let resolved = BrokerSettings::resolve(&sources).expect("settings of a simulation");
    resolved.settings.with_segment_bytes(segment_bytes)
}
