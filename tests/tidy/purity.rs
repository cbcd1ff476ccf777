//! What the core must not touch: clocks, randomness, files, sockets, threads, locks, `async`.

use syn::visit::{self, Visit};

use crate::source::{Source, line};

/// Modules that may do I/O: the runtime, the client, and the command line around both.
const WITH_IO: &[&str] = &["runtime", "client", "cli", "main"];

const BANNED: &[&[&str]] = &[
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["std", "fs"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["std", "thread"],
    &["std", "process"],
    &["std", "env"],
    &["std", "cell", "RefCell"],
    &["std", "sync", "Mutex"],
    &["std", "sync", "RwLock"],
    &["std", "sync", "mpsc"],
    &["std", "sync", "OnceLock"],
    &["std", "sync", "LazyLock"],
    &["std", "sync", "atomic"],
    &["std", "collections", "hash_map"],
    &["std", "collections", "HashMap"],
    &["std", "collections", "HashSet"],
    &["core", "cell", "RefCell"],
    &["core", "sync", "atomic"],
    &["io_uring"],
    &["glommio"],
    &["rustix"],
    &["libc"],
    &["socket2"],
    &["rtrb"],
    &["tokio"],
    &["tracing"],
];

struct Paths<'a> {
    source: &'a Source,
    findings: Vec<String>,
}

impl Paths<'_> {
    fn check(&mut self, path: &[String], at: usize) {
        let banned = BANNED.iter().any(|banned| {
            banned.len() <= path.len() && banned.iter().zip(path).all(|(a, b)| a == b)
        });
        if banned {
            let file = &self.source.path;
            self.findings.push(format!("{file}:{at}: {} in the core", path.join("::")));
        }
    }

    fn check_tree(&mut self, tree: &syn::UseTree, prefix: &[String], at: usize) {
        let with = |ident: &syn::Ident| {
            let mut path = prefix.to_vec();
            path.push(ident.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.check_tree(&path.tree, &with(&path.ident), at),
            syn::UseTree::Name(name) => self.check(&with(&name.ident), at),
            syn::UseTree::Rename(rename) => self.check(&with(&rename.ident), at),
            syn::UseTree::Glob(_) => self.check(prefix, at),
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.check_tree(item, prefix, at);
                }
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
    })
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.check_tree(&item.tree, &[], line(item));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.check(&names, line(path));
        visit::visit_path(self, path);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.asyncness.is_some() {
            let at = line(signature);
            self.findings.push(format!("{}:{at}: async in the core", self.source.path));
        }
        visit::visit_signature(self, signature);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let names: Vec<_> = mac.path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.check(&names, line(mac));
        for name in ["println", "eprintln", "print", "eprint"] {
            if mac.path.is_ident(name) {
                let at = line(mac);
                self.findings.push(format!("{}:{at}: {name}! in the core", self.source.path));
            }
        }
    }
}

pub fn impure_paths(source: &Source) -> Vec<String> {
    let core = source.module().is_some_and(|module| !WITH_IO.contains(&module));
    if !core || source.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let mut paths = Paths { source, findings: Vec::new() };
    paths.visit_file(&source.syntax);
    paths.findings
}

struct Unsafe<'a> {
    source: &'a Source,
    findings: Vec<String>,
}

impl<'ast> Visit<'ast> for Unsafe<'_> {
    fn visit_expr_unsafe(&mut self, expr: &'ast syn::ExprUnsafe) {
        self.findings.push(format!("{}:{}: unsafe block", self.source.path, line(expr)));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.unsafety.is_some() {
            self.findings.push(format!("{}:{}: unsafe impl", self.source.path, line(item)));
        }
        visit::visit_item_impl(self, item);
    }
}

/// `unsafe` belongs to the runtime's system calls and to the memory shared with the kernel.
pub fn unsafe_blocks(source: &Source) -> Vec<String> {
    let allowed = source.module() == Some("runtime")
        || source.path == "src/io/memory.rs"
        || !source.is_production();
    if allowed {
        return Vec::new();
    }
    let mut finder = Unsafe { source, findings: Vec::new() };
    finder.visit_file(&source.syntax);
    finder.findings
}
