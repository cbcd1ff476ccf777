//! Compaction of the partitions of a shard: one at a time, the dirtiest first, one request or step
//! under way, and at most so many bytes in a second.

use core::time::Duration;
use std::collections::VecDeque;

use super::{Owner, Store, StoreEvent, StoreFault};
use crate::config::CompactionSettings;
use crate::io::{DiskOp, DiskQueue, DiskResult};
use crate::log::{
    Compaction, CompactionError, CompactionPlan, CompactionWant, CompactionWork, Lack,
};
use crate::partition::Partition;
use crate::trace::Event;
use crate::types::{Instant, Now, Set, Timestamp, TopicPartition};

/// Nanoseconds in a second.
const NANOS: u64 = 1_000_000_000;
/// Keys may take one part in so many of what the tails may: a small broker stays small.
const MAP_SHARE: usize = 8;
/// Kafka's largest time, which stands for no bound on `max.compaction.lag.ms`.
const NO_LAG_MAX: Duration = Duration::from_millis(i64::MAX as u64);

/// What compaction may take: `log.cleaner.*`, one shard's share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompactionLimits {
    /// Whether it runs at all.
    pub enabled: bool,
    /// Memory for keys, in bytes.
    pub map_bytes_max: usize,
    /// Bytes read and written in a second.
    pub bytes_per_second: u64,
    /// The pause when there is nothing to compact.
    pub backoff: Duration,
}

impl CompactionLimits {
    /// One of `cores` shares of what the settings give to all, beside tails that may hold
    /// `tail_bytes_max`.
    pub fn share(settings: &CompactionSettings, cores: usize, tail_bytes_max: usize) -> Self {
        Self {
            enabled: settings.enabled,
            map_bytes_max: (settings.map_bytes_max / cores).min(tail_bytes_max / MAP_SHARE),
            bytes_per_second: settings.bytes_per_second / cores as u64,
            backoff: settings.backoff,
        }
    }
}

#[derive(Debug)]
struct UnderWay {
    slot: u32,
    id: TopicPartition,
    compaction: Compaction,
    /// A request or step has not been answered.
    is_asking: bool,
    /// Files to remove, after which it ends without an effect.
    giving_up: Option<VecDeque<DiskOp>>,
    begun: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Compactor {
    /// When the last look was that found nothing; none after a compaction.
    looked: Option<Instant>,
    under_way: Option<UnderWay>,
    /// Segments that were replaced, since the start.
    replaced: u64,
    /// Partitions that cannot be compacted until the next start, because a batch is damaged.
    failed: Set<TopicPartition>,
}

impl Compactor {
    /// The first look comes a backoff after `now`.
    pub(super) fn begin(&mut self, now: Instant) {
        self.looked = Some(now);
    }

    pub(super) fn deadline(&self, limits: &CompactionLimits) -> Option<Instant> {
        match &self.under_way {
            Some(under_way) if under_way.is_asking => None,
            Some(under_way) => Some(under_way.next_turn(limits)),
            None if !limits.enabled => None,
            None => {
                Some(self.looked.map_or(Instant::new(0), |looked| looked.after(limits.backoff)))
            }
        }
    }
}

impl UnderWay {
    /// When it may go on, having read and written as much as it has.
    fn next_turn(&self, limits: &CompactionLimits) -> Instant {
        let bytes = u128::from(self.compaction.bytes());
        let nanos = bytes * u128::from(NANOS) / u128::from(limits.bytes_per_second.max(1));
        self.begun.after(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// How much of a partition's log compaction could clean.
#[derive(Clone, Copy, Default)]
struct Dirt {
    segments: usize,
    dirty_bytes: u64,
    bytes: u64,
    /// A record has waited for longer than it should.
    is_late: bool,
}

/// The time so long before `now`.
fn before(now: Timestamp, lag: Duration) -> Timestamp {
    let millis = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
    Timestamp::new(now.get().saturating_sub(millis))
}

impl Partition {
    /// What has to be known of a dirty segment before it can be told whether it is old enough to be
    /// compacted, or too old to wait: of those found by a start.
    pub(super) fn compaction_lack(&self, now: Timestamp) -> Option<Lack> {
        let cleanup = &self.settings.cleanup;
        let by_age =
            cleanup.compaction_lag_min > Duration::ZERO || cleanup.compaction_lag_max < NO_LAG_MAX;
        if !cleanup.compact || !by_age {
            return None;
        }
        let horizon = before(now, cleanup.compaction_lag_min);
        let dirty = self.log.compactable().filter(|it| it.end_offset > self.first_dirty_offset);
        dirty.map(|segment| segment.largest_timestamp(Some(horizon))).find_map(Result::err)
    }
}

impl Dirt {
    fn of(partition: &Partition, now: Timestamp) -> Self {
        let cleanup = &partition.settings.cleanup;
        let visible = partition.durable_end().offset;
        let lag_min = cleanup.compaction_lag_min;
        let (young, late) = (before(now, lag_min), before(now, cleanup.compaction_lag_max));
        let (mut dirt, mut all) = (Self::default(), Self::default());
        for segment in partition.log.compactable().take_while(|it| it.end_offset <= visible) {
            let dirty = segment.end_offset > partition.first_dirty_offset;
            let largest = segment.largest_timestamp(Some(young));
            all.segments += 1;
            all.bytes += segment.size.get();
            if dirty {
                all.dirty_bytes += segment.size.get();
                all.is_late |= matches!(largest, Ok(Some(largest)) if largest < late);
            }
            match largest {
                _ if !dirty || lag_min == Duration::ZERO => dirt = all,
                Ok(Some(largest)) if largest < young => dirt = all,
                // Without timestamps it is as old as the one that follows.
                Ok(None) => {}
                _ => break,
            }
        }
        dirt
    }

    fn ratio(&self) -> f64 {
        if self.bytes == 0 { 0.0 } else { self.dirty_bytes as f64 / self.bytes as f64 }
    }

    fn is_enough(&self, partition: &Partition) -> bool {
        let min = partition.settings.cleanup.dirty_ratio_min;
        self.dirty_bytes > 0 && (self.is_late || self.ratio() > min)
    }
}

impl Store {
    /// Sets what compaction may take, of one of `cores`.
    pub fn set_compaction(&mut self, settings: &CompactionSettings, cores: usize) {
        let tail_bytes_max = self.config.tail_bytes_max;
        self.config.compaction = CompactionLimits::share(settings, cores, tail_bytes_max);
    }

    /// A partition is gone.
    pub(super) fn forget_compaction_of(&mut self, id: TopicPartition) {
        self.compactor.failed.remove(&id);
    }

    /// Segments that compaction has replaced since the start.
    pub fn segments_compacted(&self) -> u64 {
        self.compactor.replaced
    }

    /// Goes on with the compaction under way, or looks for one.
    pub(super) fn tick_compaction(&mut self, now: Now) {
        let limits = self.config.compaction;
        let due = self.compactor.deadline(&limits).is_some_and(|due| due <= now.instant);
        if !self.recovered || !due {
            return;
        }
        if self.compactor.under_way.is_none() {
            self.compactor.looked = Some(now.instant);
            let Some(slot) = self.dirtiest(now) else { return };
            let plan = self.plan_compaction(slot, now);
            if self.space.spare_bytes() < plan.room_needed() {
                self.events.push(StoreEvent::Log(Event::NotCompacted {
                    directory: plan.directory.to_string(),
                    problem: "the device has too little room".to_owned(),
                    again: true,
                }));
                return;
            }
            self.begin_compaction(slot, plan, now);
        }
        self.continue_compaction(now);
    }

    fn dirtiest(&self, now: Now) -> Option<u32> {
        let mut best: Option<(bool, f64, u32)> = None;
        for (slot, partition) in &self.partitions {
            let wanted = partition.settings.cleanup.compact && self.slot(partition.id).is_some();
            if !wanted || self.compactor.failed.contains(&partition.id) {
                continue;
            }
            let dirt = Dirt::of(partition, now.timestamp);
            let key = (dirt.is_late, dirt.ratio());
            if dirt.is_enough(partition) && best.is_none_or(|(late, ratio, _)| key > (late, ratio))
            {
                best = Some((key.0, key.1, u32::try_from(slot).expect("few")));
            }
        }
        best.map(|(.., slot)| slot)
    }

    fn plan_compaction(&self, slot: u32, now: Now) -> CompactionPlan {
        let partition = &self.partitions[slot as usize];
        let count = Dirt::of(partition, now.timestamp).segments;
        let segments = partition.log.compactable().take(count);
        let producers = partition.producers.sorted();
        CompactionPlan {
            directory: partition.log.directory().clone(),
            segments: segments.map(|it| (it.base_offset, it.end_offset, it.size)).collect(),
            first_dirty_offset: partition.first_dirty_offset,
            map_bytes_max: self.config.compaction.map_bytes_max,
            settings: partition.settings.log,
            now: now.timestamp,
            delete_retention: partition.settings.cleanup.delete_retention,
            last_of_producers: producers
                .into_iter()
                .filter_map(|(id, entry)| entry.batches.last().map(|last| (id, last.last_offset)))
                .collect(),
        }
    }

    fn begin_compaction(&mut self, slot: u32, plan: CompactionPlan, now: Now) {
        let partition = &mut self.partitions[slot as usize];
        partition.log.set_compacting(true);
        self.compactor.under_way = Some(UnderWay {
            slot,
            id: partition.id,
            compaction: Compaction::new(plan),
            is_asking: false,
            giving_up: None,
            begun: now.instant,
        });
    }

    fn continue_compaction(&mut self, now: Now) {
        let limits = self.config.compaction;
        while !self.stopping
            && let Some(under_way) = &mut self.compactor.under_way
            && !under_way.is_asking
            && under_way.next_turn(&limits) <= now.instant
        {
            let slot = under_way.slot;
            if self.slots.get(&under_way.id) != Some(&slot) {
                // Deleted meanwhile: its directory goes with all that is in it.
                self.compactor.under_way = None;
                return;
            }
            if let Some(removals) = &mut under_way.giving_up {
                match removals.pop_front() {
                    Some(op) => self.ask_for_compaction(op),
                    None => self.compaction_ended(slot),
                }
                return;
            }
            match under_way.compaction.ask() {
                CompactionWant::Disk(op) => self.ask_for_compaction(op),
                CompactionWant::Step(step) => {
                    under_way.is_asking = true;
                    self.events.push(StoreEvent::Compact(under_way.id, Box::new(step)));
                }
                CompactionWant::Replace(old, new) => {
                    let log = &mut self.partitions[slot as usize].log;
                    log.replace(&old, *new, &mut self.chunks);
                    self.compactor.replaced += old.len() as u64;
                    self.forget_windows_of(slot);
                }
                CompactionWant::Done(end) => {
                    self.compaction_ended(slot);
                    let partition = &mut self.partitions[slot as usize];
                    partition.first_dirty_offset = partition.first_dirty_offset.max(end);
                    // Otherwise a partition that is appended to no more is compacted again by every
                    // start that follows a kill.
                    self.checkpointer.changed(slot);
                    // There may be more to do.
                    self.compactor.looked = None;
                    return;
                }
            }
        }
    }

    fn compaction_ended(&mut self, slot: u32) {
        self.compactor.under_way = None;
        self.partitions[slot as usize].log.set_compacting(false);
    }

    fn ask_for_compaction(&mut self, op: DiskOp) {
        let under_way = self.compactor.under_way.as_mut().expect("it asks");
        under_way.is_asking = true;
        let owner = Owner::Compaction(under_way.slot).encode();
        DiskQueue::new(owner, &mut self.requests).push(0, op);
    }

    pub(super) fn compaction_completed(
        &mut self,
        slot: u32,
        result: DiskResult,
        now: Now,
    ) -> Result<(), StoreFault> {
        self.outstanding[slot as usize] -= 1;
        let under_way = self.compactor.under_way.as_mut().expect("it asked");
        under_way.is_asking = false;
        if self.slots.get(&under_way.id) == Some(&slot) && under_way.giving_up.is_none() {
            let completed = under_way.compaction.completed(result);
            self.compaction_went(completed)?;
        }
        self.continue_compaction(now);
        self.continue_removals();
        Ok(())
    }

    /// Takes the result of a step of a compaction.
    ///
    /// # Errors
    /// The disk failed while segments took their places.
    pub fn compaction_computed(
        &mut self,
        id: TopicPartition,
        work: CompactionWork,
        now: Now,
    ) -> Result<(), StoreFault> {
        let Some(under_way) = &mut self.compactor.under_way else { return Ok(()) };
        assert_eq!(under_way.id, id, "one compaction is under way");
        under_way.is_asking = false;
        if self.slots.get(&id) == Some(&under_way.slot) {
            let computed = under_way.compaction.computed(work);
            self.compaction_went(computed)?;
        }
        self.continue_compaction(now);
        Ok(())
    }

    fn compaction_went(&mut self, went: Result<(), CompactionError>) -> Result<(), StoreFault> {
        let Err(error) = went else { return Ok(()) };
        let under_way = self.compactor.under_way.as_mut().expect("it went");
        let directory = self.partitions[under_way.slot as usize].log.directory();
        match error {
            CompactionError::Disk(error) => {
                return Err(StoreFault::Log(directory.clone(), error));
            }
            CompactionError::Later(_) => {}
            CompactionError::Read(_) | CompactionError::Damaged(_) => {
                self.compactor.failed.insert(under_way.id);
            }
        }
        self.events.push(StoreEvent::Log(Event::NotCompacted {
            directory: directory.to_string(),
            problem: error.to_string(),
            again: matches!(error, CompactionError::Later(_)),
        }));
        let leftovers = under_way.compaction.leftovers();
        let removals = leftovers.into_iter().map(|path| DiskOp::Remove { path });
        under_way.giving_up = Some(removals.collect());
        Ok(())
    }
}
