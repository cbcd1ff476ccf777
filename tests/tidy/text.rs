//! Names, left-overs, comments and dependencies.

use std::fs;

use syn::visit::{self, Visit};

use crate::source::{Source, line};

const VAGUE: &[&str] = &["manager", "helper", "util", "utils", "common", "misc"];

struct Names<'a> {
    source: &'a Source,
    findings: Vec<String>,
}

impl Names<'_> {
    fn check(&mut self, ident: &syn::Ident) {
        if words(&ident.to_string()).iter().any(|word| VAGUE.contains(&word.as_str())) {
            self.findings.push(format!("{}:{}: {ident}", self.source.path, line(ident)));
        }
    }
}

/// The lower-case words of a name in any of Rust's cases.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.check(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.check(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.check(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.check(&item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.check(&signature.ident);
        visit::visit_signature(self, signature);
    }
}

pub fn vague_names(source: &Source) -> Vec<String> {
    let mut names = Names { source, findings: Vec::new() };
    names.visit_file(&source.syntax);
    let file = source.path.rsplit('/').next().unwrap().trim_end_matches(".rs");
    if words(file).iter().any(|word| VAGUE.contains(&word.as_str())) {
        names.findings.push(source.path.clone());
    }
    names.findings
}

pub fn left_overs(source: &Source) -> Vec<String> {
    // Spelt in halves so that this file does not find itself.
    let marks = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
        concat!("#[allow(dead", "_code)]"),
    ];
    let mut findings = Vec::new();
    for (index, text) in source.text.lines().enumerate() {
        let at = index + 1;
        for mark in marks.iter().filter(|mark| text.contains(**mark)) {
            findings.push(format!("{}:{at}: {mark}", source.path));
        }
        for root in ["root", "home", "work"] {
            if text.contains(&format!("\"/{root}/")) {
                findings.push(format!("{}:{at}: a path of one machine", source.path));
            }
        }
    }
    findings
}

pub fn comment_lines(source: &Source) -> usize {
    source.production_lines().filter(|line| line.trim_start().starts_with("//")).count()
}

pub fn dependencies_without_reason() -> Vec<String> {
    let mut findings = Vec::new();
    for path in ["Cargo.toml", "perf/Cargo.toml"] {
        let text = fs::read_to_string(path).unwrap();
        let (mut dependencies, mut reason) = (false, false);
        for text in text.lines() {
            if text.starts_with('[') {
                dependencies = text.ends_with("dependencies]");
            } else if text.starts_with('#') {
                reason = true;
            } else if text.is_empty() {
                reason = false;
            } else if dependencies && text.contains('=') {
                if !reason {
                    findings.push(format!("{path}: {text}"));
                }
                reason = false;
            }
        }
    }
    findings
}
