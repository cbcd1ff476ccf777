//! What a log no longer has to keep, and how it goes: the log start offset moves, and when that is
//! durable the files of the segments before it are removed, one after the other.
//!
//! Age is that of a segment's largest timestamp. A segment without timestamps goes with the one that
//! follows it, which is younger; Kafka takes the time at which the file was last written, which a
//! copy or a restore changes. There is no `file.delete.delay.ms`: readers hold open files, whose
//! bytes stay until they are let go.

use core::time::Duration;
use std::collections::VecDeque;

use super::segment::{FileKind, SealedSegment, file_name};
use super::token::{Step, Token};
use super::{Log, Place};
use crate::io::{DiskOp, DiskQueue, FileName};
use crate::planted::{Bug, planted};
use crate::types::{Offset, Position, Timestamp};

/// How much of a log is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetentionLimits {
    /// A segment whose records are all older goes; none is never too old.
    pub age_max: Option<Duration>,
    /// As long as a log has more bytes without its first segment, that goes.
    pub bytes_max: Option<u64>,
}

/// What has to be known of a segment before it can be judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lack {
    /// Its time index.
    Times(Offset),
    /// The largest timestamp of its batches.
    Batches(Offset),
}

/// What can go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expired {
    /// The log start offset may move here; it never goes back.
    pub start_offset: Offset,
    /// The active segment has to be ended, because all of it can go.
    pub with_active: bool,
    /// More might go, if this was known.
    pub lack: Option<Lack>,
}

/// Files that are to be removed.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// The log start offset that a restart would find.
    durable_start: Offset,
    waiting: VecDeque<FileName>,
    under_way: bool,
    /// Segments removed since the start.
    segments: u64,
}

impl Removals {
    pub(super) fn committed(&mut self, start: Offset) {
        self.durable_start = self.durable_start.max(start);
    }

    pub(super) fn removed(&mut self) {
        self.under_way = false;
    }
}

/// A segment as retention sees it; `largest` is unknown, none, or a timestamp.
struct Candidate {
    end_offset: Offset,
    bytes: u64,
    largest: Result<Option<Timestamp>, Lack>,
}

impl Candidate {
    fn of(segment: &SealedSegment, horizon: Option<Timestamp>) -> Self {
        let largest = segment.largest_timestamp(horizon);
        Self { end_offset: segment.end_offset, bytes: segment.size.get(), largest }
    }
}

impl SealedSegment {
    /// Its largest timestamp, if it has one. Before `horizon` it is that of the batches themselves.
    ///
    /// # Errors
    /// What has to be known first.
    pub fn largest_timestamp(&self, horizon: Option<Timestamp>) -> Result<Option<Timestamp>, Lack> {
        let largest = self.largest.ok_or(Lack::Times(self.base_offset))?;
        let timestamp = largest.map(|(timestamp, _)| timestamp);
        // That it is young enough, an index can tell, even if it lost entries.
        let young = timestamp.is_some_and(|timestamp| Some(timestamp) >= horizon);
        if young || self.is_verified { Ok(timestamp) } else { Err(Lack::Batches(self.base_offset)) }
    }
}

impl Log {
    /// What can go by these limits at the time `now`, below `visible`, the high watermark.
    pub fn expired(&self, limits: &RetentionLimits, now: Timestamp, visible: Offset) -> Expired {
        let age_max = limits.age_max.and_then(|age| i64::try_from(age.as_millis()).ok());
        let horizon = age_max.map(|age| Timestamp::new(now.get().saturating_sub(age)));
        let sealed = self.sealed.iter().map(|segment| Candidate::of(segment, horizon));
        let active = self.active.iter().filter(|active| active.size > Position::ZERO);
        let active = active.filter(|_| self.sealing.is_empty()).map(|active| Candidate {
            end_offset: self.end_offset,
            bytes: active.size.get(),
            largest: Ok(active.largest().map(|(timestamp, _)| timestamp)),
        });
        let mut over = limits.bytes_max.and_then(|max| self.size_bytes().checked_sub(max));
        let (mut start, mut lack) = (self.start_offset, None);
        for candidate in sealed.chain(active) {
            if candidate.end_offset > visible {
                break;
            }
            over = over.and_then(|over| over.checked_sub(candidate.bytes));
            if over.is_some() {
                start = start.max(candidate.end_offset);
                continue;
            }
            match (horizon, candidate.largest) {
                (None, _) => break,
                (Some(_), Err(unknown)) => {
                    lack = Some(unknown);
                    break;
                }
                (Some(horizon), Ok(Some(largest))) if largest >= horizon => break,
                (Some(_), Ok(Some(_))) => start = start.max(candidate.end_offset),
                (Some(_), Ok(None)) => {}
            }
        }
        let with_active = start == self.end_offset && start > self.start_offset;
        let with_active = with_active && self.active.is_some();
        Expired { start_offset: start, with_active, lack }
    }

    /// Where a scan of a sealed segment begins.
    pub fn scan(&self, base: Offset) -> Option<super::SegmentScan> {
        let segment = self.sealed_segment(base)?;
        let path = segment.path(self.directory(), FileKind::Log);
        Some(super::SegmentScan::new(path, base, segment.size))
    }

    /// A scan has seen all batches of a segment: their largest timestamp, and its batch's last
    /// offset.
    pub fn verified(&mut self, base: Offset, largest: Option<(Timestamp, Offset)>) {
        let at = self.sealed.binary_search_by_key(&base, |segment| segment.base_offset);
        if let Some(segment) = at.ok().and_then(|at| self.sealed.get_mut(at)) {
            segment.largest = Some(largest);
            segment.is_verified = true;
        }
    }

    /// Moves the log start offset. Files go when it is durable: [`Log::start_committed`].
    ///
    /// # Panics
    /// When it would go back, or behind the end.
    pub fn advance_start(&mut self, start: Offset) {
        assert!((self.start_offset..=self.end_offset).contains(&start));
        self.start_offset = start;
    }

    /// Ends the active segment, all of which goes: the next append starts another.
    pub fn end_active(&mut self, snapshot: Option<Vec<u8>>, queue: &mut DiskQueue<'_>) {
        let Some(active) = self.active.take() else { return };
        self.tail.end_segment();
        self.stopped = Some(Place { segment_base_offset: self.end_offset, ..Place::default() });
        self.sealing.push_back(active.seal(self.end_offset, snapshot));
        self.pump(queue);
    }

    /// The log start offset is durable: what lies before it can be removed.
    pub fn start_committed(&mut self, start: Offset, queue: &mut DiskQueue<'_>) {
        self.removals.committed(start);
        self.remove_old(queue);
    }

    /// Segments before the log start that were removed, since the start.
    pub fn segments_removed(&self) -> u64 {
        self.removals.segments
    }

    /// Removes the next file of what lies before the durable log start offset.
    pub fn remove_old(&mut self, queue: &mut DiskQueue<'_>) {
        let durable = if planted(Bug::RemoveBeforeLogStart) {
            self.start_offset
        } else {
            self.removals.durable_start
        };
        let checkpointed = self.checkpointed;
        let is_free = !self.is_compacting;
        let is_old = |first: &mut SealedSegment| {
            is_free && first.end_offset <= durable && first.base_offset < checkpointed
        };
        while let Some(first) = self.sealed.pop_front_if(is_old) {
            self.layout += 1;
            self.removals.segments += 1;
            let names = FileKind::ALL.map(|kind| file_name(first.base_offset, kind));
            let paths = names.map(|name| self.directory.join(&name));
            self.removals.waiting.extend(paths);
        }
        if self.removals.under_way {
            return;
        }
        if let Some(path) = self.removals.waiting.pop_front() {
            self.removals.under_way = true;
            let token = Token { step: Step::Remove, serial: 0, number: 0 };
            queue.push(token.encode(), DiskOp::Remove { path });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn segment(base: i64, end: i64, largest: Option<i64>) -> SealedSegment {
        let (base, end) = (Offset::new(base), Offset::new(end));
        let mut segment = SealedSegment::new(base, end, Position::new(100));
        segment.largest = Some(largest.map(|largest| (Timestamp::new(largest), base)));
        segment.is_verified = true;
        segment
    }

    fn log(segments: Vec<SealedSegment>) -> Log {
        let mut log = Log::new(&FileName::new("/data"), "a-0", Vec::new());
        log.end_offset = segments.last().map_or(Offset::ZERO, |last| last.end_offset.plus(5));
        log.sealed = segments.into();
        log
    }

    fn expired(log: &Log, days: Option<u64>, bytes_max: Option<u64>) -> (i64, Option<Lack>) {
        let age_max = days.map(|days| Duration::from_secs(days * 86_400));
        let limits = RetentionLimits { age_max, bytes_max };
        let expired = log.expired(&limits, Timestamp::new(10 * DAY), log.end_offset);
        assert!(!expired.with_active);
        (expired.start_offset.get(), expired.lack)
    }

    #[test]
    fn segments_go_by_age_in_their_order() {
        let days = [Some(2), Some(1), Some(5), Some(1)];
        let segments = (0..)
            .zip(days)
            .map(|(at, day)| segment(at * 10, at * 10 + 10, day.map(|day| day * DAY)));
        let log = log(segments.collect());
        assert_eq!(expired(&log, None, None), (0, None));
        assert_eq!(expired(&log, Some(9), None), (0, None), "as old as may be");
        assert_eq!(expired(&log, Some(7), None), (20, None));
        assert_eq!(expired(&log, Some(4), None), (40, None));
    }

    #[test]
    fn a_segment_without_timestamps_goes_with_the_one_behind_it() {
        let none = |at| segment(at, at + 10, None);
        let log = log(vec![none(0), segment(10, 20, Some(DAY)), none(20), none(30)]);
        assert_eq!(expired(&log, Some(9), None), (0, None));
        assert_eq!(expired(&log, Some(8), None), (20, None));
    }

    #[test]
    fn segments_go_by_size_and_never_below_it() {
        let log = log((0..4).map(|at| segment(at * 10, at * 10 + 10, None)).collect());
        assert_eq!(expired(&log, None, Some(400)), (0, None));
        assert_eq!(expired(&log, None, Some(301)), (0, None));
        assert_eq!(expired(&log, None, Some(300)), (10, None));
        assert_eq!(expired(&log, None, Some(150)), (20, None));
    }

    #[test]
    fn nothing_above_the_high_watermark_goes() {
        let log = log((0..4).map(|at| segment(at * 10, at * 10 + 10, Some(DAY))).collect());
        let limits = RetentionLimits { age_max: Some(Duration::ZERO), bytes_max: Some(0) };
        let visible = log.expired(&limits, Timestamp::new(10 * DAY), Offset::new(29));
        assert_eq!(visible.start_offset.get(), 20);
    }

    /// An index that lost its last entries says that a segment is older than it is.
    #[test]
    fn an_index_alone_decides_only_what_stays() {
        let mut one = segment(0, 10, Some(DAY));
        one.is_verified = false;
        let mut log = log(vec![one, segment(10, 20, Some(DAY))]);
        assert_eq!(expired(&log, Some(9), None), (0, None));
        assert_eq!(expired(&log, Some(8), None), (0, Some(Lack::Batches(Offset::ZERO))));
        log.verified(Offset::ZERO, Some((Timestamp::new(DAY), Offset::ZERO)));
        assert_eq!(expired(&log, Some(8), None), (20, None));
        log.sealed[0].largest = None;
        assert_eq!(expired(&log, Some(8), None), (0, Some(Lack::Times(Offset::ZERO))));
    }
}
