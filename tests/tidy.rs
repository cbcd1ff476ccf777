//! The project's rules as a program: layers, purity, sizes, names, left-overs, dependencies.
//! There are no exception lists: code that breaks a rule is changed, or the rule is.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

use source::Source;

/// Runs one rule over the project's Rust files and fails with every finding.
fn check(rule: impl Fn(&Source) -> Vec<String>) {
    let findings: Vec<String> = source::all().iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn modules_use_lower_layers_only() {
    check(layers::upward_uses);
}

#[test]
fn the_core_has_no_clock_io_locks_or_random_order() {
    check(purity::impure_paths);
}

#[test]
fn unsafe_code_stands_in_two_places_only() {
    check(purity::unsafe_blocks);
}

#[test]
fn files_are_short() {
    check(sizes::long_files);
}

#[test]
fn functions_are_short() {
    check(sizes::long_functions);
}

#[test]
fn names_say_what_things_are() {
    check(text::vague_names);
}

#[test]
fn nothing_is_left_over() {
    check(text::left_overs);
}

#[test]
fn comments_are_a_tenth_of_the_code() {
    let sources = source::all();
    let production: Vec<_> = sources.iter().filter(|source| source.is_production()).collect();
    let lines: usize = production.iter().map(|source| source.production_lines().count()).sum();
    let comments: usize = production.iter().map(|source| text::comment_lines(source)).sum();
    if lines < 4_000 {
        return;
    }
    let percent = comments * 100 / lines.max(1);
    assert!((8..=18).contains(&percent), "{percent} % of {lines} lines are comments");
}

#[test]
fn each_dependency_has_a_reason() {
    let findings = text::dependencies_without_reason();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn the_rules_find_what_they_look_for() {
    let offender = Source::from_text(
        "src/log/example.rs",
        "use crate::shard::X; use std::time::Instant; fn f() { unsafe { g() } tracing::warn!(); } \
         struct ConfigUtil;",
    );
    assert_eq!(layers::upward_uses(&offender).len(), 1);
    assert_eq!(purity::impure_paths(&offender).len(), 2);
    assert_eq!(purity::unsafe_blocks(&offender).len(), 1);
    assert_eq!(text::vague_names(&offender).len(), 1);
    let long = Source::from_text(
        "src/log/long.rs",
        &format!("fn f() {{\n{}}}\n", "    let x = 1;\n".repeat(900)),
    );
    assert_eq!(sizes::long_files(&long).len(), 1);
    assert_eq!(sizes::long_functions(&long).len(), 1);
}
