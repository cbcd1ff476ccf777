//! Groups with the log that a shard would keep for them, and a clock.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use millstream::config::{ClassicGroups, OffsetSettings};
use millstream::coordinator::group::{
    AppendFailure, AppendId, Effect, GroupRecord, Groups, ReplyId, Request, Response, Settings,
};
use millstream::prng::Prng;
use millstream::types::{Instant, Now, Timestamp, Uuid};

pub const START_MILLIS: u64 = 1_700_000_000_000;

pub fn settings() -> Settings {
    Settings {
        classic: ClassicGroups {
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(1800),
            initial_rebalance_delay: Duration::from_secs(3),
            members_max: 1000,
        },
        offsets: OffsetSettings {
            partitions: 50,
            replication_factor: None,
            segment_bytes_max: 1 << 20,
            retention: Duration::from_secs(7 * 86_400),
            retention_check_interval: Duration::from_secs(600),
            commit_timeout: Duration::from_secs(5),
            metadata_bytes_max: 8,
        },
    }
}

/// The offset that a record commits: keys of that type begin with 1, values with a version.
fn offset_of(record: &GroupRecord) -> Option<i64> {
    let value = record.value.as_ref().filter(|_| record.key.starts_with(&[0, 1]))?;
    Some(i64::from_be_bytes(*value[2..].first_chunk()?))
}

/// The groups of one partition and what surrounds them.
pub struct Life {
    pub settings: Settings,
    pub groups: Groups,
    pub log: Vec<GroupRecord>,
    /// Appends under way, in their order.
    pub appends: VecDeque<(AppendId, Vec<GroupRecord>)>,
    pub answers: Vec<(ReplyId, Response)>,
    pub millis: u64,
    /// Every offset of a commit in the log.
    pub committed: BTreeSet<i64>,
    prng: Prng,
    replies: u64,
}

impl Life {
    pub const START: Now =
        Now { instant: Instant::new(0), timestamp: Timestamp::new(START_MILLIS as i64) };

    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let groups = Groups::new(settings, prng.fork());
        let mut life = Self {
            settings,
            groups,
            log: Vec::new(),
            appends: VecDeque::new(),
            answers: Vec::new(),
            millis: 0,
            committed: BTreeSet::new(),
            prng,
            replies: 0,
        };
        life.call(|groups, now, out| groups.loaded(now, out));
        life
    }

    pub fn now(&self) -> Now {
        Now {
            instant: Instant::new(self.millis * 1_000_000),
            timestamp: Timestamp::new((START_MILLIS + self.millis) as i64),
        }
    }

    fn call(&mut self, call: impl FnOnce(&mut Groups, Now, &mut Vec<Effect>)) {
        let (mut out, now) = (Vec::new(), self.now());
        call(&mut self.groups, now, &mut out);
        self.take(out);
    }

    fn take(&mut self, out: Vec<Effect>) {
        for effect in out {
            match effect {
                Effect::Respond { reply, response } => self.answers.push((reply, response)),
                Effect::Append { id, records } => self.appends.push_back((id, records)),
            }
        }
    }

    pub fn ask(&mut self, request: Request) -> ReplyId {
        let reply = ReplyId(self.replies);
        self.replies += 1;
        self.call(|groups, now, out| groups.handle(now, request, reply, out));
        reply
    }

    /// The oldest append is durable.
    pub fn commit(&mut self) {
        let (id, records) = self.appends.pop_front().expect("an append is under way");
        self.committed.extend(records.iter().filter_map(offset_of));
        self.log.extend(records);
        self.call(|groups, now, out| groups.appended(now, id, Ok(()), out));
    }

    /// An append fails, not always the oldest.
    pub fn fail(&mut self, which: usize, failure: AppendFailure) {
        let (id, _) = self.appends.remove(which).expect("the append is under way");
        self.call(|groups, now, out| groups.appended(now, id, Err(failure), out));
    }

    pub fn topics_deleted(&mut self, names: &[&str]) {
        self.call(|groups, now, out| groups.topics_deleted(now, names, out));
    }

    pub fn forget_missing_topics(&mut self, exists: impl Fn(&str, Uuid) -> bool) {
        self.call(|groups, now, out| groups.forget_missing_topics(now, exists, out));
    }

    /// Time passes, and everything happens when it is due.
    pub fn wait(&mut self, millis: u64, mut after_each: impl FnMut(&mut Self)) {
        let end = self.millis + millis;
        while let Some(due) = self.groups.deadline().map(|at| at.get().div_ceil(1_000_000))
            && due <= end
        {
            self.millis = self.millis.max(due);
            self.call(Groups::tick);
            after_each(self);
        }
        self.millis = end;
    }

    /// Everybody is answered; what is under way is lost; the log is read again.
    pub fn restart(&mut self) {
        let next = Groups::new(self.settings, self.prng.fork());
        let before = std::mem::replace(&mut self.groups, next);
        let mut out = Vec::new();
        before.unload(&mut out);
        self.take(out);
        self.appends.clear();
        for record in &self.log {
            self.groups.replay(&record.key, record.value.as_deref()).unwrap();
        }
        self.call(|groups, now, out| groups.loaded(now, out));
    }
}
