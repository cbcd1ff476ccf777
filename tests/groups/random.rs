//! Random lives: clients that do what clients do and what they should not, appends that fail,
//! restarts; and what must hold through all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use millstream::coordinator::group::{
    AppendFailure, CommitPartition, CommitRequest, CommitTopic, DeleteOffsetsRequest,
    DescribedGroup, FetchGroup, FetchRequest, GroupError, GroupState, Groups, HeartbeatRequest,
    JoinRequest, Joined, LeaveRequest, LeavingMember, ListRequest, ReplyId, Request, Response,
    SyncRequest,
};
use millstream::prng::Prng;
use millstream::types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

use crate::life::{Life, settings};
use crate::steps::subscription;

const GROUPS: [&str; 2] = ["one", "two"];
const TOPICS: [&str; 3] = ["t", "u", "v"];
const STEPS: usize = 400;

type Place = (String, String, PartitionIndex);

pub fn live(seed: u64) {
    let mut settings = settings();
    settings.classic.members_max = 4;
    let mut world = World {
        prng: Prng::new(seed),
        life: Life::new(settings, seed),
        clients: (0..6).map(Client::new).collect(),
        asked: BTreeMap::new(),
        offsets: Offsets::default(),
        generations: BTreeMap::new(),
        leaders: BTreeMap::new(),
        counter: 0,
    };
    for _ in 0..STEPS {
        world.step();
        world.look();
    }
    world.restart();
}

/// What a client believes.
#[derive(Clone, Debug, Default)]
struct Client {
    number: usize,
    group: String,
    instance_id: Option<String>,
    member_id: String,
    generation: i32,
    /// As a leader, who is to be assigned what.
    members: Vec<(String, String)>,
}

impl Client {
    fn new(number: usize) -> Self {
        let instance_id = (number.is_multiple_of(3)).then(|| format!("instance{}", number % 2));
        let group = GROUPS[number % 2].to_owned();
        Self { number, group, instance_id, ..Self::default() }
    }

    /// How assignments call it: lasting names outlive ids.
    fn key(&self) -> &str {
        self.instance_id.as_deref().unwrap_or(&self.member_id)
    }
}

#[derive(Default)]
struct Offsets {
    /// The highest answered commit of each place: commits rise, so less must not be seen.
    answered: BTreeMap<Place, i64>,
    /// Places that somebody deletes, until nothing is under way.
    erased: BTreeSet<Place>,
}

struct World {
    prng: Prng,
    life: Life,
    clients: Vec<Client>,
    asked: BTreeMap<ReplyId, (usize, Request)>,
    offsets: Offsets,
    /// The highest generation with durable assignments, and the highest of this life.
    generations: BTreeMap<String, (i32, i32)>,
    /// Who led which generation in this life.
    leaders: BTreeMap<(String, i32), String>,
    counter: i64,
}

impl World {
    fn step(&mut self) {
        let client = self.prng.below(self.clients.len() as u64) as usize;
        match self.prng.below(100) {
            0..25 => self.ask(client, Self::join),
            25..45 => self.ask(client, Self::sync),
            45..52 => self.ask(client, Self::heartbeat),
            52..55 => self.ask(client, Self::leave),
            55..67 => self.ask(client, Self::commit),
            67..70 => self.ask(client, Self::delete_offsets),
            70..72 => self.delete_group(client),
            72..84 => self.durable(),
            84..87 => self.fail(),
            87..97 => {
                let millis = self.prng.below(4000);
                self.life.wait(millis, |_| ());
            }
            97 => self.silence(),
            98 => self.topics_deleted(),
            _ => self.restart(),
        }
        self.take_answers();
    }

    fn ask(&mut self, client: usize, request: impl FnOnce(&mut Self, Client) -> Request) {
        let who = self.clients[client].clone();
        let request = request(self, who);
        let reply = self.life.ask(request.clone());
        self.asked.insert(reply, (client, request));
    }

    fn join(&mut self, client: Client) -> Request {
        let protocols: &[&str] = match self.prng.below(4) {
            0 => &["range", "sticky"],
            1 => &["sticky", "range"],
            _ => &["range"],
        };
        let topics = if self.prng.percent(20) { &TOPICS[..2] } else { &TOPICS[..1] };
        let known = self.prng.percent(80);
        Request::Join(JoinRequest {
            group: client.group,
            member_id: if known { client.member_id } else { String::new() },
            instance_id: client.instance_id,
            client_id: format!("client{}", client.number),
            client_host: "/10.0.0.1".to_owned(),
            session_timeout: Duration::from_secs(6 + self.prng.below(5)),
            rebalance_timeout: Duration::from_secs(20),
            protocol_type: "consumer".to_owned(),
            protocols: protocols
                .iter()
                .map(|name| ((*name).to_owned(), subscription(topics)))
                .collect(),
            reason: None,
            takes_member_id: self.prng.percent(70),
            can_skip_assignment: self.prng.percent(50),
        })
    }

    fn sync(&mut self, client: Client) -> Request {
        let assigned = |(id, key): &(String, String)| -> (String, Arc<[u8]>) {
            (id.clone(), format!("{} {key}", client.generation).into_bytes().into())
        };
        let assignments = client.members.iter().map(assigned).collect();
        Request::Sync(SyncRequest {
            group: client.group,
            generation: client.generation,
            member_id: client.member_id,
            instance_id: client.instance_id,
            protocol_type: None,
            protocol: None,
            assignments,
        })
    }

    fn heartbeat(&mut self, client: Client) -> Request {
        let Client { group, generation, member_id, instance_id, .. } = client;
        Request::Heartbeat(HeartbeatRequest { group, generation, member_id, instance_id })
    }

    fn leave(&mut self, client: Client) -> Request {
        let Client { group, member_id, instance_id, .. } = client;
        let members = vec![LeavingMember { member_id, instance_id, reason: None }];
        Request::Leave(LeaveRequest { group, members })
    }

    fn commit(&mut self, client: Client) -> Request {
        let is_member = self.prng.percent(60);
        let topics = (0..1 + self.prng.below(2)).map(|_| {
            let (name, partition) = self.place();
            self.counter += 1;
            let offset = Offset::new(self.counter);
            let leader_epoch = LeaderEpoch::UNKNOWN;
            let partitions =
                vec![CommitPartition { partition, offset, leader_epoch, metadata: None }];
            CommitTopic { name, id: Uuid::ZERO, partitions }
        });
        let topics = topics.collect();
        Request::Commit(CommitRequest {
            group: client.group,
            generation: if is_member { client.generation } else { -1 },
            member_id: if is_member { client.member_id } else { String::new() },
            instance_id: client.instance_id.filter(|_| is_member),
            retention: None,
            topics,
        })
    }

    fn place(&mut self) -> (String, PartitionIndex) {
        let topic = TOPICS[self.prng.below(TOPICS.len() as u64) as usize];
        (topic.to_owned(), PartitionIndex::new(self.prng.below(2) as i32))
    }

    fn delete_offsets(&mut self, client: Client) -> Request {
        let (topic, partition) = self.place();
        self.offsets.erased.insert((client.group.clone(), topic.clone(), partition));
        let topics = vec![(topic, vec![partition])];
        Request::DeleteOffsets(DeleteOffsetsRequest { group: client.group, topics })
    }

    fn delete_group(&mut self, client: usize) {
        let group = self.clients[client].group.clone();
        self.erase(|place| place.0 == group);
        self.ask(client, |_, _| Request::Delete { groups: vec![group] });
    }

    fn erase(&mut self, which: impl Fn(&Place) -> bool) {
        for group in GROUPS {
            for topic in TOPICS {
                for index in 0..2 {
                    let place = (group.to_owned(), topic.to_owned(), PartitionIndex::new(index));
                    if which(&place) {
                        self.offsets.erased.insert(place);
                    }
                }
            }
        }
    }

    fn durable(&mut self) {
        if !self.life.appends.is_empty() {
            self.life.commit();
        }
    }

    fn fail(&mut self) {
        let count = self.life.appends.len() as u64;
        if count > 0 {
            let which = self.prng.below(count) as usize;
            let failures = [AppendFailure::Unavailable, AppendFailure::TooLarge];
            self.life.fail(which, failures[self.prng.below(2) as usize]);
        }
    }

    fn topics_deleted(&mut self) {
        self.erase(|place| place.1 == "v");
        self.life.topics_deleted(&["v"]);
    }

    /// Nobody says anything for longer than all sessions and waits, perhaps than offsets are kept.
    fn silence(&mut self) {
        let millis = if self.prng.percent(20) { 8 * 86_400_000 } else { 700_000 };
        self.erase(|_| true);
        let finish = |life: &mut Life| {
            while !life.appends.is_empty() {
                life.commit();
            }
        };
        finish(&mut self.life);
        self.life.wait(millis, finish);
        self.take_answers();
        for group in GROUPS {
            let described = describe(&mut self.life.groups, group);
            assert!(described.members.is_empty(), "sessions have ended: {described:?}");
        }
    }

    fn restart(&mut self) {
        self.life.restart();
        self.take_answers();
        assert!(self.asked.is_empty(), "never answered: {:?}", self.asked);
        self.leaders.clear();
        self.generations.values_mut().for_each(|(stable, live)| *live = *stable);
    }

    fn take_answers(&mut self) {
        for (reply, response) in std::mem::take(&mut self.life.answers) {
            let (client, request) = self.asked.remove(&reply).expect("answered once");
            match (request, response) {
                (Request::Join(_), Response::Join(Ok(joined))) => self.joined(client, joined),
                (Request::Join(_), Response::Join(Err(refused))) => {
                    let client = &mut self.clients[client];
                    match refused.error {
                        GroupError::MemberIdRequired => client.member_id = refused.member_id,
                        GroupError::UnknownMemberId | GroupError::FencedInstanceId => {
                            client.member_id = String::new();
                        }
                        _ => {}
                    }
                }
                (Request::Sync(asked), Response::Sync(Ok(synced))) => {
                    let client = &self.clients[client];
                    let key = client.instance_id.clone().unwrap_or(asked.member_id);
                    let expected = format!("{} {key}", asked.generation);
                    assert_eq!(String::from_utf8_lossy(&synced.assignment), expected);
                    let generations = self.generations.entry(asked.group).or_default();
                    generations.0 = generations.0.max(asked.generation);
                }
                (Request::Commit(asked), Response::Commit(topics)) => {
                    for (topic, answered) in asked.topics.into_iter().zip(topics) {
                        assert_eq!(topic.name, answered.name);
                        let (commit, answer) = (&topic.partitions[0], answered.partitions[0].1);
                        let place = (asked.group.clone(), topic.name, commit.partition);
                        if answer.is_ok() {
                            assert!(self.life.committed.contains(&commit.offset.get()));
                            self.offsets.answered.insert(place, commit.offset.get());
                        }
                    }
                }
                (Request::Heartbeat(_), Response::Heartbeat(_))
                | (Request::Sync(_), Response::Sync(Err(_)))
                | (Request::Leave(_), Response::Leave(_))
                | (Request::DeleteOffsets(_), Response::DeleteOffsets(_))
                | (Request::Delete { .. }, Response::Delete(_)) => {}
                (request, response) => panic!("{request:?} is answered by {response:?}"),
            }
        }
    }

    fn joined(&mut self, client: usize, joined: Joined) {
        let client = &mut self.clients[client];
        client.member_id.clone_from(&joined.member_id);
        client.generation = joined.generation;
        let keyed = joined.members.into_iter().map(|member| {
            let key = member.instance_id.unwrap_or_else(|| member.member_id.clone());
            (member.member_id, key)
        });
        client.members = keyed.collect();
        let (_, live) = self.generations.entry(client.group.clone()).or_default();
        assert!(joined.generation >= *live, "a generation went back from {live} in {client:?}");
        *live = joined.generation;
        if !client.members.is_empty() {
            let generation = (client.group.clone(), joined.generation);
            let leader = self.leaders.entry(generation).or_insert_with(|| client.key().to_owned());
            assert_eq!(*leader, client.key(), "two lead generation {}", joined.generation);
        }
    }

    /// Looks at what is shown, and at what a start would bring back.
    fn look(&mut self) {
        let shown = shown(&mut self.life.groups);
        if self.life.appends.is_empty() {
            for place in std::mem::take(&mut self.offsets.erased) {
                if !shown.offsets.contains_key(&place) {
                    self.offsets.answered.remove(&place);
                }
            }
            self.compare_with_log(&shown);
        }
        for (place, offset) in &shown.offsets {
            assert!(self.life.committed.contains(offset), "{place:?} shows {offset}");
        }
        for (place, answered) in &self.offsets.answered {
            let offset = shown.offsets.get(place);
            let is_kept = offset.is_some_and(|offset| offset >= answered);
            assert!(
                is_kept || self.offsets.erased.contains(place),
                "{place:?} {answered} {offset:?}"
            );
        }
        for (name, group) in &shown.groups {
            if group.state == GroupState::Dead {
                self.generations.remove(name);
                self.leaders.retain(|(group, _), _| group != name);
            }
        }
    }

    fn compare_with_log(&mut self, shown: &Shown) {
        let mut again = Groups::new(self.life.settings, Prng::new(0));
        for record in &self.life.log {
            again.replay(&record.key, record.value.as_deref()).unwrap();
        }
        again.loaded(self.life.now(), &mut Vec::new());
        let again = self::shown(&mut again);
        assert_eq!(again.offsets, shown.offsets);
        for (name, group) in &shown.groups {
            if group.state == GroupState::Stable {
                assert_eq!(again.groups[name], *group);
            }
        }
    }
}

struct Shown {
    offsets: BTreeMap<Place, i64>,
    groups: BTreeMap<String, DescribedGroup>,
}

fn shown(groups: &mut Groups) -> Shown {
    let mut shown = Shown { offsets: BTreeMap::new(), groups: BTreeMap::new() };
    for name in GROUPS {
        shown.groups.insert(name.to_owned(), describe(groups, name));
        let (group, member_id, member_epoch) = (name.to_owned(), None, -1);
        let groups_asked = vec![FetchGroup { group, member_id, member_epoch, topics: None }];
        let request = FetchRequest { groups: groups_asked, require_stable: false };
        let Response::Fetch(fetched) = ask(groups, Request::Fetch(request)) else { panic!() };
        for topic in fetched[0].topics.as_ref().unwrap() {
            for partition in &topic.partitions {
                let place = (name.to_owned(), topic.name.clone(), partition.partition);
                shown.offsets.insert(place, partition.offset.unwrap().get());
            }
        }
    }
    let Response::List(Ok(listed)) = ask(groups, Request::List(ListRequest::default())) else {
        panic!()
    };
    let living = shown.groups.values().filter(|group| group.state != GroupState::Dead);
    assert!(living.map(|group| &group.group).eq(listed.iter().map(|group| &group.group)));
    shown
}

fn describe(groups: &mut Groups, name: &str) -> DescribedGroup {
    let request = Request::Describe { groups: vec![name.to_owned()] };
    let Response::Describe(mut described) = ask(groups, request) else { panic!() };
    described.remove(0)
}

/// Asks what is answered at once and changes nothing.
fn ask(groups: &mut Groups, request: Request) -> Response {
    use millstream::coordinator::group::Effect;
    let mut out = Vec::new();
    groups.handle(Life::START, request, ReplyId(u64::MAX), &mut out);
    match out.pop() {
        Some(Effect::Respond { response, .. }) if out.is_empty() => response,
        other => panic!("{other:?}"),
    }
}
