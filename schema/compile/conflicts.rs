//! What two definitions must not share, be they in one file or in two.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Fault;
use super::tree::{Message, Module, Role};

/// Definitions that take the name, key or type of another one.
pub fn conflicts(modules: &[Module]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeMap::new());
    for module in modules {
        for message in module.messages.iter().filter(|message| introduces(message)) {
            let fault = |text: String| Fault::new(&module.path, message.line, text);
            if !names.insert(&message.struct_name) {
                let name = &message.struct_name;
                faults.push(fault(format!("`{name}` is defined elsewhere too")));
            }
            let Some(number) = message.number else { continue };
            // Types of records are told apart within one topic, which is one file.
            let (word, space) = match message.role {
                Role::Request => ("key", ""),
                _ => ("type", module.name.as_str()),
            };
            if let Some(other) = numbers.insert((space, word, number), &message.definition) {
                faults.push(fault(format!("{word} {number} is also that of {other}")));
            }
        }
    }
    faults
}

/// Of the two messages of an API or a record the first.
fn introduces(message: &Message) -> bool {
    !matches!(message.role, Role::Response | Role::Value)
}
