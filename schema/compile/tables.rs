//! What is known about all definitions together: the API keys, the list of messages.

use super::text::{doc, line};
use super::tree::{Message, Module, Role};

/// The enum of API keys and the table behind it, in the order of the keys.
pub fn api_keys(modules: &[Module]) -> String {
    let mut apis: Vec<&Message> = modules
        .iter()
        .flat_map(|module| &module.messages)
        .filter(|message| message.role == Role::Request)
        .collect();
    apis.sort_by_key(|api| api.number);
    let mut text = String::new();
    line!(text, "/// An API of Kafka's that is defined here.");
    line!(text, "#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]");
    line!(text, "#[repr(i16)]");
    line!(text, "pub enum ApiKey {{");
    for api in &apis {
        doc(&mut text, &api.doc);
        line!(text, "{} = {},", api.definition, api.number.unwrap_or_default());
    }
    line!(text, "}}");
    line!(text, "static APIS: [Api; {}] = [", apis.len());
    for api in &apis {
        let (name, versions) = (&api.definition, api.context.versions);
        line!(text, "Api {{ key: ApiKey::{name}, name: \"{name}\",");
        line!(text, "versions: {}..={},", versions.first, versions.last);
        line!(text, "flexible_from: {:?} }},", api.context.flexible_from);
    }
    line!(text, "];");
    text
}

/// The list of all messages.
pub fn catalogue(modules: &[Module]) -> String {
    let mut text = String::new();
    line!(text, "/// Every message that is defined, for tools and tests that treat them alike.");
    line!(text, "pub static MESSAGES: &[MessageInfo] = &[");
    for module in modules {
        for message in &module.messages {
            line!(text, "info!({}::{}),", module.name, message.struct_name);
        }
    }
    line!(text, "];");
    text
}
