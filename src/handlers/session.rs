//! Fetch sessions (KIP-227): what a consumer fetches is remembered, so that its requests and the
//! responses name only what is new.
//!
//! A session belongs to the shard that made it; a client that comes back to another shard is told
//! that the session is not known, and makes a new one.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::prng::Prng;
use crate::types::{Instant, LeaderEpoch, Map, Offset, Uuid};

/// A session not used for this long gives way to any other.
const IDLE: Duration = Duration::from_secs(120);
/// What the sessions of a shard may remember together: a quarter of a million partitions. Kafka
/// counts sessions only.
const REMEMBERED_BYTES_MAX: usize = 64 << 20;
/// What a partition takes in a session, beside its topic's name.
const PARTITION_BYTES: usize = 256;
/// The epoch of a request that begins a session.
const EPOCH_INITIAL: i32 = 0;
/// The epoch of a request that has no session, and ends the one it names.
const EPOCH_FINAL: i32 = -1;

/// A topic as the client names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicKey {
    /// By name.
    Name(Arc<str>),
    /// By id.
    Id(Uuid),
}

/// What is fetched of one partition.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The topic.
    pub topic: TopicKey,
    /// The partition.
    pub partition: i32,
    /// From this offset.
    pub offset: Offset,
    /// At most this many bytes.
    pub bytes_max: u64,
    /// The leader's epoch as the client knows it.
    pub current_leader_epoch: LeaderEpoch,
}

/// What the client was told last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Told {
    high_watermark: i64,
    log_start_offset: i64,
}

#[derive(Debug)]
struct Entry {
    wanted: Wanted,
    told: Option<Told>,
}

/// Memory for a partition. Names are counted with each, though partitions share them: one of a topic
/// that does not exist can be long.
fn remembered_bytes(topic: &TopicKey) -> usize {
    let name = match topic {
        TopicKey::Name(name) => name.len(),
        TopicKey::Id(_) => 0,
    };
    PARTITION_BYTES + name
}

/// A session.
#[derive(Debug)]
pub struct Session {
    epoch: i32,
    uses_ids: bool,
    /// By place in the order of the answer; places are given ascending and never again.
    entries: BTreeMap<u64, Entry>,
    places: Map<(TopicKey, i32), u64>,
    next_place: u64,
    bytes: usize,
    last_used: Instant,
}

impl Session {
    fn new(uses_ids: bool, now: Instant) -> Self {
        let (entries, places) = (BTreeMap::new(), Map::default());
        Self { epoch: 1, uses_ids, entries, places, next_place: 0, bytes: 0, last_used: now }
    }

    fn set(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.partition);
        let known = self.places.get(&key).and_then(|place| self.entries.get_mut(place));
        match known {
            Some(entry) => entry.wanted = wanted,
            None => {
                self.bytes += remembered_bytes(&key.0);
                self.append(key, Entry { wanted, told: None });
            }
        }
    }

    fn append(&mut self, key: (TopicKey, i32), entry: Entry) {
        self.places.insert(key, self.next_place);
        self.entries.insert(self.next_place, entry);
        self.next_place += 1;
    }

    fn forget(&mut self, key: &(TopicKey, i32)) {
        if let Some(place) = self.places.remove(key) {
            self.entries.remove(&place);
            self.bytes -= remembered_bytes(&key.0);
        }
    }

    /// Everything that is fetched, in the order in which it is.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.entries.values().map(|entry| &entry.wanted)
    }

    /// Whether a partition has to be in the response although it brings no records and no error,
    /// because the client was told something else before.
    pub fn is_news(
        &mut self,
        topic: &TopicKey,
        partition: i32,
        high_watermark: i64,
        log_start_offset: i64,
    ) -> bool {
        let place = self.places.get(&(topic.clone(), partition));
        let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) else { return true };
        let told = Told { high_watermark, log_start_offset };
        entry.told.replace(told) != Some(told)
    }

    /// Puts a partition that brought records behind all others, so that all get their turn.
    pub fn move_to_end(&mut self, topic: &TopicKey, partition: i32) {
        let key = (topic.clone(), partition);
        let Some(place) = self.places.get(&key) else { return };
        if self.entries.len() > 1
            && let Some(entry) = self.entries.remove(place)
        {
            self.append(key, entry);
        }
    }
}

/// What a request says about sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionRequest {
    /// The session, 0 for none.
    pub id: i32,
    /// The epoch.
    pub epoch: i32,
    /// Topics are named by id.
    pub uses_ids: bool,
}

/// Why a session cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionError {
    /// It is not known here.
    NotFound,
    /// The request is not the next of the session.
    Epoch,
    /// The request names topics in another way than the session.
    TopicIds,
}

/// How a request is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// With every partition, and this session id.
    Full(i32),
    /// With what is new in this session.
    Incremental(i32),
}

/// The sessions of a shard.
#[derive(Debug)]
pub struct Sessions {
    sessions: Map<i32, Session>,
    sessions_max: usize,
    /// What all remember.
    bytes: usize,
}

impl Sessions {
    /// Room for `sessions_max` sessions.
    pub fn new(sessions_max: usize) -> Self {
        Self { sessions: Map::default(), sessions_max, bytes: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// A session.
    pub fn get_mut(&mut self, id: i32) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// Takes a request in; `wanted` and `forgotten` are what it names.
    ///
    /// # Errors
    /// The session it speaks of cannot go on.
    pub fn request(
        &mut self,
        request: SessionRequest,
        wanted: &[Wanted],
        forgotten: &[(TopicKey, i32)],
        now: Instant,
        prng: &mut Prng,
    ) -> Result<Mode, SessionError> {
        let SessionRequest { id, epoch, uses_ids } = request;
        if epoch == EPOCH_FINAL {
            self.remove(id);
            return Ok(Mode::Full(0));
        }
        if epoch == EPOCH_INITIAL {
            self.remove(id);
            return Ok(Mode::Full(self.begin(uses_ids, wanted, now, prng)));
        }
        let session = self.sessions.get_mut(&id).ok_or(SessionError::NotFound)?;
        if session.epoch != epoch {
            return Err(SessionError::Epoch);
        }
        if session.uses_ids != uses_ids {
            return Err(SessionError::TopicIds);
        }
        session.epoch = epoch.checked_add(1).unwrap_or(1);
        session.last_used = now;
        let before = session.bytes;
        wanted.iter().for_each(|wanted| session.set(wanted.clone()));
        forgotten.iter().for_each(|key| session.forget(key));
        self.bytes = self.bytes + session.bytes - before;
        if self.bytes > REMEMBERED_BYTES_MAX {
            // The client begins another one, and is told then that it has to do without.
            self.remove(id);
            return Err(SessionError::NotFound);
        }
        Ok(Mode::Incremental(id))
    }

    fn remove(&mut self, id: i32) -> bool {
        let removed = self.sessions.remove(&id);
        self.bytes -= removed.as_ref().map_or(0, |session| session.bytes);
        removed.is_some()
    }

    /// The id of a new session, or 0 when there is no room for one.
    fn begin(&mut self, uses_ids: bool, wanted: &[Wanted], now: Instant, prng: &mut Prng) -> i32 {
        if wanted.is_empty() {
            return 0;
        }
        let mut session = Session::new(uses_ids, now);
        wanted.iter().for_each(|wanted| session.set(wanted.clone()));
        if !self.make_room(&session, now) {
            return 0;
        }
        loop {
            let id = (prng.next_u64() >> 33) as i32;
            if id != 0 && !self.sessions.contains_key(&id) {
                self.bytes += session.bytes;
                self.sessions.insert(id, session);
                return id;
            }
        }
    }

    /// A session that is idle gives way, else one that is smaller (as in Kafka: a session saves
    /// more the larger it is). Too much memory is given back by idle ones only: no client may drive
    /// out all others.
    fn make_room(&mut self, new: &Session, now: Instant) -> bool {
        while self.bytes + new.bytes > REMEMBERED_BYTES_MAX {
            let idle = |session: &Session| now.since(session.last_used) > IDLE;
            let idle = self.sessions.iter().filter(|(_, session)| idle(session));
            let Some(id) = idle.map(|(id, _)| *id).min() else { return false };
            self.remove(id);
        }
        if self.sessions.len() < self.sessions_max {
            return true;
        }
        let key = |(id, session): (&i32, &Session)| (session.last_used, session.entries.len(), *id);
        let Some((last_used, _, oldest)) = self.sessions.iter().map(key).min() else {
            return false;
        };
        let mut gives_way = (now.since(last_used) > IDLE).then_some(oldest);
        if gives_way.is_none() {
            let size_of = |(id, session): (&i32, &Session)| (session.entries.len(), *id);
            let smallest = self.sessions.iter().map(size_of).min();
            gives_way =
                smallest.filter(|(entries, _)| *entries < new.entries.len()).map(|(_, id)| id);
        }
        gives_way.is_some_and(|id| self.remove(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(partition: i32, offset: i64) -> Wanted {
        Wanted {
            topic: TopicKey::Name("t".into()),
            partition,
            offset: Offset::new(offset),
            bytes_max: 100,
            current_leader_epoch: LeaderEpoch::UNKNOWN,
        }
    }

    fn request(id: i32, epoch: i32) -> SessionRequest {
        SessionRequest { id, epoch, uses_ids: false }
    }

    struct World {
        sessions: Sessions,
        prng: Prng,
        now: u64,
    }

    impl World {
        fn new(sessions_max: usize) -> Self {
            Self { sessions: Sessions::new(sessions_max), prng: Prng::new(1), now: 0 }
        }

        fn ask(
            &mut self,
            request: SessionRequest,
            wanted: &[Wanted],
        ) -> Result<Mode, SessionError> {
            let now = Instant::new(self.now * 1_000_000_000);
            self.sessions.request(request, wanted, &[], now, &mut self.prng)
        }

        fn begin(&mut self, partitions: i32) -> i32 {
            let all: Vec<Wanted> = (0..partitions).map(|index| wanted(index, 0)).collect();
            match self.ask(request(0, 0), &all) {
                Ok(Mode::Full(id)) => id,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_session_goes_on_only_with_its_next_epoch() {
        let mut world = World::new(10);
        let id = world.begin(3);
        assert_ne!(id, 0);
        assert_eq!(world.ask(request(id, 2), &[]), Err(SessionError::Epoch));
        assert_eq!(world.ask(request(id, 1), &[wanted(1, 50)]), Ok(Mode::Incremental(id)));
        let offsets: Vec<i64> = world
            .sessions
            .get_mut(id)
            .unwrap()
            .wanted()
            .map(|wanted| wanted.offset.get())
            .collect();
        assert_eq!(offsets, [0, 50, 0]);
        assert_eq!(world.ask(request(id + 1, 1), &[]), Err(SessionError::NotFound));
        let other_way = SessionRequest { uses_ids: true, ..request(id, 2) };
        assert_eq!(world.ask(other_way, &[]), Err(SessionError::TopicIds));
        assert_eq!(world.ask(request(id, -1), &[]), Ok(Mode::Full(0)));
        assert!(world.sessions.is_empty());
    }

    #[test]
    fn only_news_is_told_again() {
        let mut world = World::new(10);
        let id = world.begin(1);
        let session = world.sessions.get_mut(id).unwrap();
        let topic = TopicKey::Name("t".into());
        assert!(session.is_news(&topic, 0, 5, 0));
        assert!(!session.is_news(&topic, 0, 5, 0));
        assert!(session.is_news(&topic, 0, 6, 0));
        assert!(session.is_news(&topic, 0, 6, 1));
    }

    #[test]
    fn partitions_that_brought_records_go_to_the_end() {
        let mut world = World::new(10);
        let id = world.begin(4);
        let session = world.sessions.get_mut(id).unwrap();
        let topic = TopicKey::Name("t".into());
        session.move_to_end(&topic, 0);
        session.move_to_end(&topic, 1);
        let order: Vec<i32> = session.wanted().map(|wanted| wanted.partition).collect();
        assert_eq!(order, [2, 3, 0, 1]);
        session.forget(&(topic, 3));
        let order: Vec<i32> = session.wanted().map(|wanted| wanted.partition).collect();
        assert_eq!(order, [2, 0, 1]);
    }

    #[test]
    fn a_change_of_a_large_session_costs_as_much_as_it_changes() {
        let mut world = World::new(10);
        let id = world.begin(10_000);
        let session = world.sessions.get_mut(id).unwrap();
        let topic = TopicKey::Name("t".into());
        let start = std::time::Instant::now();
        for partition in 0..9_999 {
            session.move_to_end(&topic, partition);
            session.forget(&(topic.clone(), partition));
        }
        // In proportion to the session it would be a hundred million steps.
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        let left: Vec<i32> = session.wanted().map(|wanted| wanted.partition).collect();
        assert_eq!((left, session.bytes), (vec![9_999], PARTITION_BYTES + 1));
    }

    #[test]
    fn what_sessions_remember_is_bounded() {
        let mut world = World::new(10_000);
        let each = 20_000;
        let fit = REMEMBERED_BYTES_MAX / (each as usize * (PARTITION_BYTES + 1));
        let first = world.begin(each);
        assert_ne!(first, 0);
        (1..fit).for_each(|_| assert_ne!(world.begin(each), 0));
        assert_eq!(world.begin(each), 0, "there is no memory for another one");
        // Nor for one that grows.
        let more: Vec<Wanted> = (each..2 * each).map(|index| wanted(index, 0)).collect();
        assert_eq!(world.ask(request(first, 1), &more), Err(SessionError::NotFound));
        assert_ne!(world.begin(each), 0, "it has given way");
        world.now = 1000;
        assert_ne!(world.begin(each), 0, "idle ones give way");
        let sum: usize = world.sessions.sessions.values().map(|session| session.bytes).sum();
        assert!(sum == world.sessions.bytes && sum <= REMEMBERED_BYTES_MAX);
    }

    #[test]
    fn idle_sessions_give_way_then_smaller_ones() {
        let mut world = World::new(2);
        let (large, small) = (world.begin(5), world.begin(2));
        assert_eq!(world.begin(2), 0);
        world.now = 1;
        assert_ne!(world.begin(3), 0);
        assert!(world.sessions.get_mut(small).is_none());
        world.now = 1000;
        assert_ne!(world.begin(1), 0);
        assert!(world.sessions.get_mut(large).is_none());
    }
}
