//! The project's Rust files, read once and parsed.

use std::fs;
use std::path::Path;

/// One file with its path from the project's root and its syntax tree.
pub struct Source {
    pub path: String,
    pub text: String,
    pub syntax: syn::File,
}

impl Source {
    pub fn from_text(path: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text: text.to_owned(), syntax }
    }

    /// Whether this is code that ships, as opposed to tests, benches and tools.
    pub fn is_production(&self) -> bool {
        self.path.starts_with("src/") && !self.path.ends_with("/tests.rs")
    }

    /// The top module under `src/`, such as `log`; none outside of `src/`.
    pub fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }

    /// The lines in front of the file's test module.
    pub fn production_lines(&self) -> impl Iterator<Item = &str> {
        let end = self.text.lines().position(|line| line.starts_with("#[cfg(test)]"));
        self.text.lines().take(end.unwrap_or(usize::MAX))
    }
}

/// Every Rust file of the project except what flatc generated.
pub fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches", "perf", "schema", "fuzz"] {
        collect(Path::new(folder), &mut paths);
    }
    paths.sort();
    assert!(paths.len() > 5, "run from the project's root");
    paths.iter().map(|path| Source::from_text(path, &fs::read_to_string(path).unwrap())).collect()
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "generated" {
                collect(&path, paths);
            }
        } else if name.ends_with(".rs") {
            paths.push(path.to_string_lossy().into_owned());
        }
    }
}

/// The line on which a piece of syntax starts.
pub fn line(spanned: &impl syn::spanned::Spanned) -> usize {
    spanned.span().start().line
}
