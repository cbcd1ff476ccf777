//! From the definitions in `schema/kafka/` to Rust: lexer, parser, checks, emission.

// The build script and the tests are the only users; neither has an outside.
#![allow(unreachable_pub)]

mod check;
mod condition;
mod decode;
mod emit;
mod encode;
mod fault;
mod lexer;
mod measure;
mod names;
mod parser;
mod syntax;
mod tables;
mod text;
pub mod tree;
pub mod versions;

pub use fault::Fault;
use tree::Module;

/// Reads and checks one file of definitions.
pub fn read(path: &str, text: &str) -> Result<Module, Fault> {
    check::check(&parser::parse(path, text)?)
}

/// The Rust text of all messages.
pub fn messages(modules: &[Module]) -> String {
    let mut text: String = modules.iter().map(emit::module).collect();
    text.push_str(&tables::catalogue(modules));
    text
}

/// The Rust text of the enum of API keys.
pub fn api_keys(modules: &[Module]) -> String {
    tables::api_keys(modules)
}
