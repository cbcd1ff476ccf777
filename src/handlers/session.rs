//! Fetch sessions (KIP-227): what a consumer fetches is remembered, so that its requests and the
//! responses name only what is new.
//!
//! A session belongs to the shard that made it; a client that comes back to another shard is told
//! that the session is not known, and makes a new one.

use core::time::Duration;
use std::sync::Arc;

use crate::prng::Prng;
use crate::types::{Instant, LeaderEpoch, Map, Offset, Uuid};

/// A session not used for this long gives way to any other.
const IDLE: Duration = Duration::from_secs(120);
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

/// A session.
#[derive(Debug)]
pub struct Session {
    epoch: i32,
    uses_ids: bool,
    entries: Vec<Entry>,
    places: Map<(TopicKey, i32), usize>,
    last_used: Instant,
}

impl Session {
    fn new(uses_ids: bool, now: Instant) -> Self {
        let (entries, places) = (Vec::new(), Map::default());
        Self { epoch: 1, uses_ids, entries, places, last_used: now }
    }

    fn set(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.partition);
        match self.places.get(&key) {
            Some(place) => self.entries[*place].wanted = wanted,
            None => {
                self.places.insert(key, self.entries.len());
                self.entries.push(Entry { wanted, told: None });
            }
        }
    }

    fn forget(&mut self, topic: &TopicKey, partition: i32) {
        if self.places.contains_key(&(topic.clone(), partition)) {
            self.entries.retain(|entry| {
                (&entry.wanted.topic, entry.wanted.partition) != (topic, partition)
            });
            self.renumber();
        }
    }

    fn renumber(&mut self) {
        self.places.clear();
        for (place, entry) in self.entries.iter().enumerate() {
            self.places.insert((entry.wanted.topic.clone(), entry.wanted.partition), place);
        }
    }

    /// Everything that is fetched, in the order in which it is.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.entries.iter().map(|entry| &entry.wanted)
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
        let Some(place) = self.places.get(&(topic.clone(), partition)) else { return true };
        let told = Told { high_watermark, log_start_offset };
        let before = self.entries[*place].told.replace(told);
        before != Some(told)
    }

    /// Puts partitions that brought records behind those that did not, so that all get their turn.
    pub fn rotate(&mut self, brought: impl Fn(&TopicKey, i32) -> bool) {
        let has = |entry: &Entry| brought(&entry.wanted.topic, entry.wanted.partition);
        if self.entries.len() > 1 && self.entries.iter().any(has) {
            self.entries.sort_by_key(has);
            self.renumber();
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
}

impl Sessions {
    /// Room for `sessions_max` sessions.
    pub fn new(sessions_max: usize) -> Self {
        Self { sessions: Map::default(), sessions_max }
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
            self.sessions.remove(&id);
            return Ok(Mode::Full(0));
        }
        if epoch == EPOCH_INITIAL {
            self.sessions.remove(&id);
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
        wanted.iter().for_each(|wanted| session.set(wanted.clone()));
        forgotten.iter().for_each(|(topic, partition)| session.forget(topic, *partition));
        Ok(Mode::Incremental(id))
    }

    /// The id of a new session, or 0 when there is no room for one.
    fn begin(&mut self, uses_ids: bool, wanted: &[Wanted], now: Instant, prng: &mut Prng) -> i32 {
        if wanted.is_empty() || !self.make_room(wanted.len(), now) {
            return 0;
        }
        let mut session = Session::new(uses_ids, now);
        wanted.iter().for_each(|wanted| session.set(wanted.clone()));
        loop {
            let id = (prng.next_u64() >> 33) as i32;
            if id != 0 && !self.sessions.contains_key(&id) {
                self.sessions.insert(id, session);
                return id;
            }
        }
    }

    /// A session that is idle gives way, else one that is smaller (as in Kafka: a session saves
    /// more the larger it is).
    fn make_room(&mut self, size: usize, now: Instant) -> bool {
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
            gives_way = smallest.filter(|(entries, _)| *entries < size).map(|(_, id)| id);
        }
        gives_way.is_some_and(|id| self.sessions.remove(&id).is_some())
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
        session.rotate(|_, partition| partition < 2);
        let order: Vec<i32> = session.wanted().map(|wanted| wanted.partition).collect();
        assert_eq!(order, [2, 3, 0, 1]);
        session.forget(&TopicKey::Name("t".into()), 3);
        let order: Vec<i32> = session.wanted().map(|wanted| wanted.partition).collect();
        assert_eq!(order, [2, 0, 1]);
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
