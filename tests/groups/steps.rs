//! Plays a scenario. A line is a step; indented lines below say what came of it. `play` returns the
//! text with what really came, so a scenario that holds is returned as it is.
//!
//! - `join CLIENT` with `as=ID` `instance=NAME` `session=S` `rebalance=S` `type=TYPE`
//!   `protocols=NAME:TOPIC+TOPIC,...`, `direct` (before version 4), `skip` (version 9)
//! - `sync ID GENERATION` with `ID:ASSIGNMENT` ..., `protocol=NAME`, `instance=NAME`
//! - `beat ID GENERATION`, `leave ID ...` (`/NAME` for an instance), `commit ID GENERATION
//!   TOPIC/PARTITION=OFFSET[:NOTE] ...` (`-` for no member), `keep=S`; `fetch TOPIC/PARTITION ...`
//!   or `fetch all`; `forget TOPIC/PARTITION ...`; `describe`, `list`, `delete`
//! - `wait SECONDS`, `hold` (appends stay under way), `durable` (the oldest), `fail [WHY]`, `pass`,
//!   `restart`, `max MEMBERS`, `topics gone NAME`, `in GROUP` (the group of what follows)

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millstream::coordinator::group::{
    AppendFailure, CommitPartition, CommitRequest, CommitTopic, DeleteOffsetsRequest, FetchGroup,
    FetchRequest, FetchTopic, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember,
    ListRequest, Request, SyncRequest,
};
use millstream::types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

use crate::life::{Life, settings};
use crate::show::{Names, show};

pub fn play(text: &str) -> String {
    let mut stage = Stage {
        life: Life::new(settings(), 1),
        names: Names::default(),
        asked: BTreeMap::new(),
        group: "g".to_owned(),
        hold: false,
    };
    let mut played = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        println!("{line}");
        played.push_str(line);
        played.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        for came in stage.step(line) {
            println!("  {came}");
            played.push_str(&format!("  {came}\n"));
        }
    }
    played
}

struct Stage {
    life: Life,
    names: Names,
    /// Who waits for an answer.
    asked: BTreeMap<u64, String>,
    group: String,
    hold: bool,
}

/// The words of a step: plain ones, and `name=value`.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        let (mut plain, mut named) = (Vec::new(), BTreeMap::new());
        for word in line.split(' ').skip(1) {
            match word.split_once('=') {
                Some((name, value)) if !name.contains('/') => drop(named.insert(name, value)),
                _ => plain.push(word),
            }
        }
        Self { plain, named }
    }

    fn seconds(&self, name: &str, default: u64) -> Duration {
        Duration::from_secs(self.named.get(name).map_or(default, |text| text.parse().unwrap()))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.named.get(name).map(|&text| text.to_owned())
    }

    fn has(&self, word: &str) -> bool {
        self.plain.contains(&word)
    }
}

impl Stage {
    fn step(&mut self, line: &str) -> Vec<String> {
        let words = Words::of(line);
        let verb = line.split(' ').next().unwrap();
        match verb {
            "wait" => {
                let hold = self.hold;
                let millis = (words.plain[0].parse::<f64>().unwrap() * 1000.0) as u64;
                self.life.wait(millis, |life| {
                    if !hold {
                        finish(life)
                    }
                });
            }
            "hold" => self.hold = true,
            "pass" => self.hold = false,
            "durable" => self.life.commit(),
            "fail" => self.life.fail(0, failure(words.plain.first().copied())),
            "restart" => self.life.restart(),
            "max" => {
                self.life.settings.classic.members_max = words.plain[0].parse().unwrap();
                self.life.restart();
            }
            "topics" => self.life.topics_deleted(&words.plain[1..]),
            "in" => self.group = words.plain[0].to_owned(),
            _ => {
                let request = self.request(verb, &words);
                let who = words.plain.first().filter(|_| matches!(verb, "join" | "sync"));
                let who = who.map(|who| format!("{verb} {who}: ")).unwrap_or_default();
                // The answer may come within the call.
                let reply = self.life.ask(request);
                self.asked.insert(reply.0, who);
            }
        }
        if !self.hold {
            finish(&mut self.life);
        }
        let mut came = Vec::new();
        for (reply, response) in std::mem::take(&mut self.life.answers) {
            let who = self.asked.remove(&reply.0).expect("each request is answered once");
            let lines = show(&mut self.names, &response);
            came.extend(lines.into_iter().map(|line| format!("{who}{line}")));
        }
        came
    }

    fn request(&self, verb: &str, words: &Words<'_>) -> Request {
        let group = self.group.clone();
        let first = words.plain.first().copied().unwrap_or_default();
        let member_id = if first == "-" { String::new() } else { self.names.id(first) };
        let instance_id = words.text("instance");
        let generation = || words.plain[1].parse().unwrap();
        match verb {
            "join" => Request::Join(self.join(words)),
            "sync" => Request::Sync(SyncRequest {
                group,
                generation: generation(),
                member_id,
                instance_id,
                protocol_type: words.text("type"),
                protocol: words.text("protocol"),
                assignments: words.plain[2..].iter().map(|word| self.assignment(word)).collect(),
            }),
            "beat" => {
                let generation = generation();
                Request::Heartbeat(HeartbeatRequest { group, generation, member_id, instance_id })
            }
            "leave" => {
                let members = words.plain.iter().map(|word| self.leaving(word)).collect();
                Request::Leave(LeaveRequest { group, members })
            }
            "commit" => Request::Commit(CommitRequest {
                group,
                generation: generation(),
                member_id,
                instance_id,
                retention: words
                    .text("keep")
                    .map(|text| Duration::from_secs(text.parse().unwrap())),
                topics: words.plain[2..].iter().map(|word| commit(word, words)).collect(),
            }),
            "fetch" => {
                let topics = (!words.has("all"))
                    .then(|| words.plain.iter().map(|word| fetch(word, words)).collect());
                let (member_id, member_epoch) = (None, -1);
                let groups = vec![FetchGroup { group, member_id, member_epoch, topics }];
                Request::Fetch(FetchRequest { groups, require_stable: true })
            }
            "forget" => {
                let places = words.plain.iter().map(|word| place(word));
                let topics = places.map(|(topic, index)| (topic, vec![index])).collect();
                Request::DeleteOffsets(DeleteOffsetsRequest { group, topics })
            }
            "describe" => Request::Describe { groups: vec![group] },
            "delete" => Request::Delete { groups: vec![group] },
            "list" => {
                let words = |name| words.text(name).into_iter().collect();
                Request::List(ListRequest { states: words("state"), types: words("type") })
            }
            _ => panic!("there is no step {verb}"),
        }
    }

    fn join(&self, words: &Words<'_>) -> JoinRequest {
        let protocols = words.named.get("protocols").copied().unwrap_or("range:t");
        let protocols = protocols.split(',').filter(|text| !text.is_empty());
        JoinRequest {
            group: self.group.clone(),
            member_id: self.names.id(words.named.get("as").copied().unwrap_or_default()),
            instance_id: words.text("instance"),
            client_id: words.plain[0].to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout: words.seconds("session", 10),
            rebalance_timeout: words.seconds("rebalance", 60),
            protocol_type: words.text("type").unwrap_or("consumer".to_owned()),
            protocols: protocols.map(protocol).collect(),
            reason: None,
            takes_member_id: !words.has("direct"),
            can_skip_assignment: words.has("skip"),
        }
    }

    fn assignment(&self, word: &str) -> (String, Arc<[u8]>) {
        let (id, assignment) = word.split_once(':').unwrap();
        (self.names.id(id), assignment.as_bytes().into())
    }

    fn leaving(&self, word: &str) -> LeavingMember {
        let (id, instance) = match word.split_once('/') {
            Some((id, instance)) => (id, Some(instance.to_owned())),
            None => (word, None),
        };
        LeavingMember { member_id: self.names.id(id), instance_id: instance, reason: None }
    }
}

fn finish(life: &mut Life) {
    while !life.appends.is_empty() {
        life.commit();
    }
}

fn failure(why: Option<&str>) -> AppendFailure {
    match why {
        None => AppendFailure::Unavailable,
        Some("leader") => AppendFailure::NotLeader,
        Some("large") => AppendFailure::TooLarge,
        Some(other) => panic!("no append fails for {other}"),
    }
}

/// `range:t+u`: a subscription of version 0, and no user data.
fn protocol(word: &str) -> (String, Arc<[u8]>) {
    let (name, topics) = word.split_once(':').unwrap();
    let topics: Vec<&str> = topics.split('+').filter(|topic| !topic.is_empty()).collect();
    (name.to_owned(), subscription(&topics))
}

pub fn subscription(topics: &[&str]) -> Arc<[u8]> {
    let mut bytes = vec![0, 0];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

fn place(word: &str) -> (String, PartitionIndex) {
    let (topic, partition) = word.split_once('/').unwrap();
    (topic.to_owned(), PartitionIndex::new(partition.parse().unwrap()))
}

/// `id=1` gives the topics an id of that number.
fn topic_id(words: &Words<'_>) -> Uuid {
    Uuid::from_halves(0, words.named.get("id").map_or(0, |text| text.parse().unwrap()))
}

fn commit(word: &str, words: &Words<'_>) -> CommitTopic {
    let (target, offset) = word.split_once('=').unwrap();
    let (name, partition) = place(target);
    let (offset, note) = match offset.split_once(':') {
        Some((offset, note)) => (offset, Some(note.to_owned())),
        None => (offset, None),
    };
    let offset = Offset::new(offset.parse().unwrap());
    let leader_epoch = LeaderEpoch::UNKNOWN;
    let partitions = vec![CommitPartition { partition, offset, leader_epoch, metadata: note }];
    CommitTopic { name, id: topic_id(words), partitions }
}

fn fetch(word: &str, words: &Words<'_>) -> FetchTopic {
    let (name, partition) = place(word);
    FetchTopic { name, id: topic_id(words), partitions: vec![partition] }
}
