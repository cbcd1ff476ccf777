//! The members of a group, with what is counted over them: who waits for the next generation, who
//! knows which protocol, who has which lasting name.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{GroupError, JoinRequest, ReplyId};

/// Name and metadata of each protocol, the preferred one first.
pub(super) type Protocols = Vec<(String, Arc<[u8]>)>;

/// A member of a group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) assignment: Arc<[u8]>,
    /// It has not been in a generation yet, so it sends no heartbeats.
    pub(super) is_new: bool,
    /// Its SyncGroup waits for the leader's.
    pub(super) sync: Option<ReplyId>,
    protocols: Protocols,
    join: Option<ReplyId>,
}

impl Member {
    pub(super) fn joining(id: Arc<str>, request: &JoinRequest) -> Self {
        Self {
            id,
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            assignment: Arc::default(),
            is_new: true,
            sync: None,
            protocols: distinct(&request.protocols),
            join: None,
        }
    }

    /// A member of whom a record holds one protocol; all else is empty.
    pub(super) fn recorded(protocol: &str, metadata: &[u8]) -> Self {
        Self {
            id: Arc::from(""),
            instance_id: None,
            client_id: String::new(),
            client_host: String::new(),
            session_timeout: Duration::ZERO,
            rebalance_timeout: Duration::ZERO,
            assignment: Arc::default(),
            is_new: false,
            sync: None,
            protocols: vec![(protocol.to_owned(), metadata.into())],
            join: None,
        }
    }

    /// Its metadata for a protocol, empty if it does not know it.
    pub(super) fn metadata(&self, protocol: Option<&str>) -> Arc<[u8]> {
        let known = self.protocols.iter().find(|(name, _)| Some(name.as_str()) == protocol);
        known.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether a request says what is known already.
    pub(super) fn matches(&self, request: &JoinRequest) -> bool {
        self.protocols == distinct(&request.protocols)
    }

    /// Whether its JoinGroup waits for the next generation.
    pub(super) fn is_joining(&self) -> bool {
        self.join.is_some()
    }
}

/// The protocols without those that were named before, as Kafka reads the list.
fn distinct(protocols: &Protocols) -> Protocols {
    let mut seen = BTreeSet::new();
    protocols.iter().filter(|(name, _)| seen.insert(name)).cloned().collect()
}

#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    by_id: BTreeMap<Arc<str>, Member>,
    by_instance: BTreeMap<String, Arc<str>>,
    /// How many members know each protocol.
    supported: BTreeMap<String, usize>,
    joining: usize,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn joining(&self) -> usize {
        self.joining
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.by_id.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.by_id.values_mut()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Member> {
        self.by_id.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.by_id.get_mut(id)
    }

    pub(super) fn with_instance(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.by_instance.get(instance_id)
    }

    /// Whether there is such a member and its lasting name, if given, is still its own.
    pub(super) fn check(&self, id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            match self.with_instance(instance_id) {
                None => return Err(GroupError::UnknownMemberId),
                Some(owner) if **owner != *id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.get(id).map(|_| ()).ok_or(GroupError::UnknownMemberId)
    }

    pub(super) fn add(&mut self, member: Member) {
        for (name, _) in &member.protocols {
            *self.supported.entry(name.clone()).or_default() += 1;
        }
        self.joining += usize::from(member.is_joining());
        if let Some(instance_id) = &member.instance_id {
            self.by_instance.insert(instance_id.clone(), member.id.clone());
        }
        let before = self.by_id.insert(member.id.clone(), member);
        assert!(before.is_none(), "member ids are unique");
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.by_id.remove(id)?;
        for (name, _) in &member.protocols {
            let count = self.supported.get_mut(name).expect("all protocols are counted");
            *count -= 1;
            if *count == 0 {
                self.supported.remove(name);
            }
        }
        self.joining -= usize::from(member.is_joining());
        if let Some(instance_id) = &member.instance_id
            && self.by_instance.get(instance_id) == Some(&member.id)
        {
            self.by_instance.remove(instance_id);
        }
        Some(member)
    }

    /// Takes over what a member's new JoinGroup says, and lets that wait. Returns the request that
    /// waited before.
    pub(super) fn join(
        &mut self,
        id: &str,
        request: &JoinRequest,
        reply: ReplyId,
    ) -> Option<ReplyId> {
        let mut member = self.remove(id).expect("the caller has found the member");
        let before = member.join.replace(reply);
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.protocols = distinct(&request.protocols);
        self.add(member);
        before
    }

    /// The waiting JoinGroup of a member, to be answered.
    pub(super) fn take_join(&mut self, id: &str) -> Option<ReplyId> {
        let reply = self.by_id.get_mut(id)?.join.take();
        self.joining -= usize::from(reply.is_some());
        reply
    }

    /// Whether somebody with these protocols can be of the group.
    pub(super) fn supports(&self, protocols: &Protocols) -> bool {
        let count = |name| self.supported.get(name).copied().unwrap_or_default();
        protocols.iter().any(|(name, _)| count(name) == self.len())
    }

    /// The protocol that all know and most prefer, of equals the first by name; none if there are
    /// no members.
    pub(super) fn voted_protocol(&self) -> Option<String> {
        let mut votes = BTreeMap::<&str, usize>::new();
        for member in self.iter() {
            let mut names = member.protocols.iter().map(|(name, _)| name.as_str());
            let vote = names.find(|name| self.supported[*name] == self.len());
            // Members of a record know one protocol each; a broken record may mix them.
            if let Some(vote) = vote {
                *votes.entry(vote).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    /// The longest time that a member may take to join again.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.iter().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }
}
