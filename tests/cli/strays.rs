//! Directories that belong to no topic: a power cut can leave a deleted topic's its name.

use std::fs;
use std::path::Path;

use crate::broker::Broker;

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn names(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_deleted_topics_directory_is_not_the_next_topics_and_a_foreign_one_is_kept() {
    let mut broker = Broker::start();
    let data = broker.data();
    broker.produce(&["again"], b"old 1\nold 2\nold 3\n");
    broker.stop();
    let aside = data.parent().unwrap().join("aside");
    copy(&data.join("again-0"), &aside);
    broker.restart();
    broker.run(&["topics", "delete", "again"]);
    broker.stop();
    assert!(!data.join("again-0").exists());
    // As if the power had gone before the new name was on disk.
    copy(&aside, &data.join("again-0"));
    copy(&aside, &data.join("foreign-0"));
    let metadata = data.join("foreign-0/partition.metadata");
    fs::write(&metadata, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABQ\n").unwrap();

    broker.restart();
    let (again, foreign): (Vec<_>, Vec<_>) = names(&data)
        .into_iter()
        .filter(|name| name.starts_with("again-") || name.starts_with("foreign-"))
        .partition(|name| name.starts_with("again-"));
    assert!(again.iter().all(|name| name.ends_with("-delete")), "{again:?}");
    assert!(foreign.len() == 1 && foreign[0].ends_with("-stray"), "{foreign:?}");
    broker.produce(&["again"], b"new\n");
    assert_eq!(broker.run(&["consume", "again"]), b"new\n");
}
