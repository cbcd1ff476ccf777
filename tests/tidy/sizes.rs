//! Files of at most 800 production lines, functions of at most 70.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::source::Source;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

pub fn long_files(source: &Source) -> Vec<String> {
    let lines = source.production_lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, at most {FILE_LINES_MAX}", source.path)]
}

struct Functions<'a> {
    source: &'a Source,
    findings: Vec<String>,
}

impl Functions<'_> {
    fn check(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            let (path, at) = (&self.source.path, span.start().line);
            let finding = format!("{path}:{at}: {name} has {lines} lines");
            self.findings.push(finding);
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

pub fn long_functions(source: &Source) -> Vec<String> {
    let mut functions = Functions { source, findings: Vec::new() };
    functions.visit_file(&source.syntax);
    functions.findings
}
