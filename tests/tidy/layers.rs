//! A module uses modules of lower layers only; modules of one layer do not know each other.

use syn::visit::{self, Visit};

use crate::source::{Source, line};

const LAYERS: &[&[&str]] = &[
    &["types", "limits", "prng", "planted"],
    &["io", "record", "config", "formats", "metrics", "trace", "quota"],
    &["protocol", "log", "wal", "consensus"],
    &["metadata", "connection", "partition"],
    &["store", "controller", "coordinator", "replication"],
    &["handlers"],
    &["shard"],
    &["runtime", "sim", "client"],
    &["cli", "main", "lib"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

struct Uses<'a> {
    source: &'a Source,
    own: &'a str,
    findings: Vec<String>,
}

impl Uses<'_> {
    fn found(&mut self, used: &str, at: usize) {
        if used == self.own {
            return;
        }
        let (Some(own), Some(other)) = (layer(self.own), layer(used)) else { return };
        if other >= own {
            let path = &self.source.path;
            self.findings.push(format!("{path}:{at}: {} may not use {used}", self.own));
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_use_tree(&mut self, tree: &'ast syn::UseTree) {
        if let syn::UseTree::Path(path) = tree
            && (path.ident == "crate" || path.ident == "millstream")
        {
            for name in first_names(&path.tree) {
                self.found(&name, line(tree));
            }
        }
        visit::visit_use_tree(self, tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "crate")
            && let Some(second) = segments.next()
        {
            self.found(&second.ident.to_string(), line(path));
        }
        visit::visit_path(self, path);
    }
}

fn first_names(tree: &syn::UseTree) -> Vec<String> {
    match tree {
        syn::UseTree::Path(path) => vec![path.ident.to_string()],
        syn::UseTree::Name(name) => vec![name.ident.to_string()],
        syn::UseTree::Rename(rename) => vec![rename.ident.to_string()],
        syn::UseTree::Group(group) => group.items.iter().flat_map(first_names).collect(),
        syn::UseTree::Glob(_) => Vec::new(),
    }
}

pub fn upward_uses(source: &Source) -> Vec<String> {
    let Some(own) = source.module() else { return Vec::new() };
    if layer(own).is_none() {
        return vec![format!("{}: module {own} has no layer", source.path)];
    }
    let mut uses = Uses { source, own, findings: Vec::new() };
    uses.visit_file(&source.syntax);
    uses.findings
}
