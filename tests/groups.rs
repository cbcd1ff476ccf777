//! The group coordinator's state machine: scenarios as text with what has to come of each step,
//! and random lives with what must always hold.
#![allow(unreachable_pub, clippy::unwrap_used)]

#[path = "groups/large.rs"]
mod large;
#[path = "groups/life.rs"]
mod life;
#[path = "groups/random.rs"]
mod random;
#[path = "groups/show.rs"]
mod show;
#[path = "groups/steps.rs"]
mod steps;

use std::fs;

/// With `GROUPS_WRITE` set, what came is written into the scenarios, to be read before it is kept.
#[test]
fn scenarios() {
    let mut paths: Vec<_> =
        fs::read_dir("tests/groups").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(paths.len() > 5, "run from the project's root");
    let different: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let played = steps::play(&text);
            if std::env::var_os("GROUPS_WRITE").is_some() {
                fs::write(path, &played).unwrap();
            }
            (played != text).then(|| format!("{}\n{}", path.display(), difference(&text, &played)))
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// The first lines in which two texts differ.
fn difference(expected: &str, played: &str) -> String {
    let (expected, played): (Vec<_>, Vec<_>) =
        (expected.lines().collect(), played.lines().collect());
    let same = expected.iter().zip(&played).take_while(|(a, b)| a == b).count();
    let some =
        |lines: &[&str]| lines.iter().skip(same).take(12).copied().collect::<Vec<_>>().join("\n");
    format!("line {}, expected:\n{}\nplayed:\n{}", same + 1, some(&expected), some(&played))
}

/// `GROUPS_SEEDS` says how many.
#[test]
fn random_lives_keep_what_must_hold() {
    let seeds = std::env::var("GROUPS_SEEDS").ok().and_then(|text| text.parse().ok());
    (0..seeds.unwrap_or(200)).for_each(random::live);
}
