//! The directories of a simulated disk: what programs see, and what a power cut would leave.

use std::collections::{BTreeMap, BTreeSet};

use crate::io::DiskError;
use crate::prng::Prng;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// A file's content.
    File(u64),
    /// A directory.
    Directory(u64),
}

/// A change of names that its directory has not been synced for.
#[derive(Clone, Debug)]
enum Change {
    Set(String, Node),
    Removed(String),
    Renamed(String, String),
}

type Entries = BTreeMap<String, Node>;

#[derive(Clone, Debug, Default)]
struct Directory {
    entries: Entries,
    durable: Entries,
    changes: Vec<Change>,
}

impl Directory {
    fn change(&mut self, change: Change) {
        apply(&mut self.entries, &change);
        self.changes.push(change);
    }
}

fn apply(entries: &mut Entries, change: &Change) {
    match change {
        Change::Set(name, node) => drop(entries.insert(name.clone(), *node)),
        Change::Removed(name) => drop(entries.remove(name)),
        Change::Renamed(from, to) => {
            if let Some(node) = entries.remove(from) {
                entries.insert(to.clone(), node);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Names {
    root: String,
    directories: BTreeMap<u64, Directory>,
    next: u64,
}

const ROOT: u64 = 0;

impl Names {
    pub(super) fn new(root: &str) -> Self {
        let directories = BTreeMap::from([(ROOT, Directory::default())]);
        Self { root: root.to_owned(), directories, next: 1 }
    }

    fn parts<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let inside = path.strip_prefix(self.root.as_str())?;
        Some(inside.split('/').filter(|part| !part.is_empty()).collect())
    }

    fn directory(&self, parts: &[&str]) -> Option<u64> {
        parts.iter().try_fold(ROOT, |at, part| match self.directories[&at].entries.get(*part) {
            Some(Node::Directory(next)) => Some(*next),
            _ => None,
        })
    }

    /// The directory that a path lies in, and its last part.
    fn place<'a>(&self, path: &'a str) -> Result<(u64, &'a str), DiskError> {
        let parts = self.parts(path).ok_or(DiskError::NotFound)?;
        let (name, parents) = parts.split_last().ok_or(DiskError::NotFound)?;
        Ok((self.directory(parents).ok_or(DiskError::NotFound)?, name))
    }

    pub(super) fn find(&self, path: &str) -> Option<Node> {
        let (directory, name) = self.place(path).ok()?;
        self.directories[&directory].entries.get(name).copied()
    }

    fn change(&mut self, directory: u64, change: Change) {
        self.directories.get_mut(&directory).expect("found").change(change);
    }

    pub(super) fn create_file(&mut self, path: &str, inode: u64) -> Result<(), DiskError> {
        let (directory, name) = self.place(path)?;
        self.change(directory, Change::Set(name.to_owned(), Node::File(inode)));
        Ok(())
    }

    pub(super) fn create_directory(&mut self, path: &str) -> Result<(), DiskError> {
        let (directory, name) = self.place(path)?;
        if self.directories[&directory].entries.contains_key(name) {
            return Ok(());
        }
        let made = self.next;
        self.next += 1;
        self.directories.insert(made, Directory::default());
        self.change(directory, Change::Set(name.to_owned(), Node::Directory(made)));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let ((source, old), (target, new)) = (self.place(from)?, self.place(to)?);
        assert_eq!(source, target, "only renames within a directory are simulated");
        if !self.directories[&source].entries.contains_key(old) {
            return Err(DiskError::NotFound);
        }
        self.change(source, Change::Renamed(old.to_owned(), new.to_owned()));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        let (directory, name) = self.place(path)?;
        if !self.directories[&directory].entries.contains_key(name) {
            return Err(DiskError::NotFound);
        }
        self.change(directory, Change::Removed(name.to_owned()));
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, path: &str) -> Result<(), DiskError> {
        self.remove(path)
    }

    pub(super) fn sync(&mut self, path: &str) -> Result<(), DiskError> {
        let parts = self.parts(path).ok_or(DiskError::NotFound)?;
        let directory = self.directory(&parts).ok_or(DiskError::NotFound)?;
        let directory = self.directories.get_mut(&directory).expect("found");
        directory.changes.clear();
        directory.durable = directory.entries.clone();
        Ok(())
    }

    pub(super) fn list(&self, path: &str) -> Option<Vec<(String, Node)>> {
        let directory = self.directory(&self.parts(path)?)?;
        let entries = &self.directories[&directory].entries;
        Some(entries.iter().map(|(name, node)| (name.clone(), *node)).collect())
    }

    /// What is left after the power went: of each directory's changes a prefix, or any of them.
    pub(super) fn cut(&mut self, prng: &mut Prng) -> u64 {
        let mut lost = 0;
        for directory in self.directories.values_mut() {
            let changes = std::mem::take(&mut directory.changes);
            let mut entries = directory.durable.clone();
            let in_order = prng.percent(50);
            let kept = prng.below(changes.len() as u64 + 1);
            for (index, change) in changes.iter().enumerate() {
                let keeps = if in_order { (index as u64) < kept } else { prng.percent(50) };
                if keeps {
                    apply(&mut entries, change);
                } else {
                    lost += 1;
                }
            }
            directory.durable = entries.clone();
            directory.entries = entries;
        }
        lost
    }

    /// Every file that has a name.
    pub(super) fn inodes(&self) -> BTreeSet<u64> {
        let mut inodes = BTreeSet::new();
        self.walk(ROOT, &self.root, &mut |_, inode| {
            inodes.insert(inode);
        });
        inodes
    }

    pub(super) fn files(&self) -> Vec<crate::io::FileName> {
        let mut files = Vec::new();
        self.walk(ROOT, &self.root, &mut |path, _| files.push(crate::io::FileName::new(path)));
        files
    }

    fn walk(&self, directory: u64, path: &str, visit: &mut impl FnMut(&str, u64)) {
        for (name, node) in &self.directories[&directory].entries {
            let path = format!("{path}/{name}");
            match node {
                Node::File(inode) => visit(&path, *inode),
                Node::Directory(inner) => self.walk(*inner, &path, visit),
            }
        }
    }
}
