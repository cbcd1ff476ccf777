//! Our definitions say what Kafka's say, field by field.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::compile;
use crate::compile::tree::{Default, Field, Kind, Message, Module, Role, Struct, Type};
use crate::compile::versions::Versions;
use crate::oracle;

/// APIs that Kafka's brokers and controllers only use among themselves.
const NOT_DEFINED: [&str; 20] = [
    "AddRaftVoter",
    "AllocateProducerIds",
    "AlterPartition",
    "AssignReplicasToDirs",
    "BeginQuorumEpoch",
    "BrokerHeartbeat",
    "BrokerRegistration",
    "ControllerRegistration",
    "DeleteShareGroupState",
    "EndQuorumEpoch",
    "Envelope",
    "FetchSnapshot",
    "InitializeShareGroupState",
    "ReadShareGroupState",
    "ReadShareGroupStateSummary",
    "RemoveRaftVoter",
    "UnregisterController",
    "UpdateRaftVoter",
    "Vote",
    "WriteShareGroupState",
];

fn modules() -> Vec<Module> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/kafka");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            compile::read(path.to_str().unwrap(), &text).unwrap_or_else(|fault| panic!("{fault}"))
        })
        .collect()
}

/// Kafka's definition of a message, if the release has one. Comments are not JSON.
fn kafkas(folder: &Path, name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).ok()?;
    let bare: String = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    Some(serde_json::from_str(&bare).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn without_comment(line: &str) -> &str {
    match line.find("//") {
        Some(at) if line[..at].matches('"').count().is_multiple_of(2) => &line[..at],
        _ => line,
    }
}

/// A line per field, in the same words for both sides.
struct Outline {
    text: String,
}

impl Outline {
    fn field(&mut self, depth: usize, name: &str, of: &str, present: Versions, notes: &[String]) {
        // Kafka's names are in camel case, with capitals where it pleases.
        let name: String = name.chars().filter(|letter| *letter != '_').collect();
        let (indent, name) = ("  ".repeat(depth), name.to_lowercase());
        let notes = notes.join(" ");
        writeln!(self.text, "{indent}{name} {of} {present} {notes}").unwrap();
    }

    fn ours(&mut self, depth: usize, found: &Struct, all: &[Struct], context: Versions) {
        for field in &found.fields {
            let Some(present) = field.versions.intersection(context) else { continue };
            self.field(depth, &field.name, &our_type(field), present, &notes(field, context));
            if let Type::Struct(name) = field.kind.element() {
                let inner = all.iter().find(|inner| inner.name == *name).unwrap();
                self.ours(depth + 1, inner, all, present);
            }
        }
    }

    fn kafkas(&mut self, depth: usize, fields: &Value, shared: &Value, context: Versions) {
        for field in fields.as_array().unwrap() {
            let versions = field.get("versions").or(field.get("taggedVersions")).unwrap();
            let versions = Versions::parse(versions.as_str().unwrap()).unwrap();
            let Some(present) = versions.intersection(context) else { continue };
            let (name, of) = (text(field, "name"), text(field, "type"));
            let named = of.trim_start_matches("[]");
            let is_struct = named.starts_with(|letter: char| letter.is_uppercase());
            let shown = if is_struct { of.replace(named, "struct") } else { of.to_owned() };
            self.field(depth, name, &shown, present, &their_notes(field, context));
            if is_struct {
                let shared_fields = shared.as_array().and_then(|all| {
                    all.iter().find(|one| text(one, "name") == named).map(|one| &one["fields"])
                });
                let inner = field.get("fields").or(shared_fields).unwrap();
                self.kafkas(depth + 1, inner, shared, present);
            }
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn our_type(field: &Field) -> String {
    let name = match field.kind.element() {
        Type::Bool => "bool",
        Type::I8 => "int8",
        Type::I16 => "int16",
        Type::I32 => "int32",
        Type::I64 => "int64",
        Type::U16 => "uint16",
        Type::F64 => "float64",
        Type::Uuid => "uuid",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Records => "records",
        Type::Struct(_) => "struct",
    };
    let array = if matches!(field.kind, Kind::Array(_)) { "[]" } else { "" };
    format!("{array}{name}")
}

/// What is said beside name and type. A default matters only where the field may be absent.
fn notes(field: &Field, context: Versions) -> Vec<String> {
    let present = field.versions.intersection(context).unwrap();
    let mut notes = Vec::new();
    if let Some(nullable) = field.nullable.and_then(|nullable| nullable.intersection(present)) {
        notes.push(format!("nullable {nullable}"));
    }
    if let Some(tag) = field.tag {
        notes.push(format!("tag {tag}"));
    }
    if field.classic {
        notes.push("classic".to_owned());
    }
    if present != context || field.tag.is_some() {
        notes.push(match field.default {
            Default::Plain if field.nullable.is_some() => "= null".to_owned(),
            Default::Plain | Default::Empty => "= plain".to_owned(),
            Default::True => "= true".to_owned(),
            Default::Integer(value) => format!("= {value}"),
        });
    }
    notes
}

fn their_notes(field: &Value, context: Versions) -> Vec<String> {
    let versions = field.get("versions").or(field.get("taggedVersions")).unwrap();
    let versions = Versions::parse(versions.as_str().unwrap()).unwrap();
    let present = versions.intersection(context).unwrap();
    let mut notes = Vec::new();
    let nullable = field.get("nullableVersions").and_then(Value::as_str);
    let nullable = nullable.filter(|nullable| *nullable != "none");
    if let Some(nullable) = nullable.and_then(|range| Versions::parse(range)?.intersection(present))
    {
        notes.push(format!("nullable {nullable}"));
    }
    if let Some(tag) = field.get("tag") {
        notes.push(format!("tag {tag}"));
    }
    if field.get("flexibleVersions").is_some_and(|flexible| flexible == "none") {
        notes.push("classic".to_owned());
    }
    if present != context || field.get("tag").is_some() {
        notes.push(match their_default(field) {
            None => "= plain".to_owned(),
            Some(default) => format!("= {default}"),
        });
    }
    notes
}

/// Kafka writes defaults as text or plainly; a plain null means that there is none.
fn their_default(field: &Value) -> Option<String> {
    let default = match &field["default"] {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        plain => plain.to_string(),
    };
    let number = match default.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => default.parse::<i64>().ok(),
    };
    match (number, default.as_str()) {
        (Some(0), _) | (None, "" | "false") => None,
        (Some(number), _) => Some(number.to_string()),
        (None, default) => Some(default.to_owned()),
    }
}

fn our_outline(message: &Message, module: &Module) -> String {
    let mut outline = Outline { text: String::new() };
    let context = message.context;
    let flexible = context.flexible_from.map_or("none".to_owned(), |first| format!("{first}+"));
    writeln!(outline.text, "{} flexible {flexible}", context.versions).unwrap();
    if let Some(number) = message.number {
        writeln!(outline.text, "number {number}").unwrap();
    }
    let root = module.structs.iter().find(|found| found.name == message.struct_name).unwrap();
    outline.ours(1, root, &module.structs, context.versions);
    outline.text
}

fn their_outline(json: &Value, unstable: bool) -> String {
    let mut outline = Outline { text: String::new() };
    let mut valid = Versions::parse(text(json, "validVersions")).unwrap();
    valid.last -= i16::from(unstable);
    writeln!(outline.text, "{valid} flexible {}", text(json, "flexibleVersions")).unwrap();
    if let Some(key) = json.get("apiKey") {
        writeln!(outline.text, "number {key}").unwrap();
    }
    outline.kafkas(1, &json["fields"], &json["commonStructs"], valid);
    outline.text
}

#[test]
fn definitions_agree_with_kafkas() {
    let folder = oracle::run(oracle::NEWEST, &["json"]);
    let folder = Path::new(folder.trim_end());
    let mut differences = String::new();
    let mut count = 0;
    for module in modules() {
        for message in &module.messages {
            let name = &message.struct_name;
            let json = kafkas(folder, name).unwrap_or_else(|| panic!("Kafka has no {name}"));
            // Only the request says that the newest version is not stable yet.
            let request = kafkas(folder, &name.replace("Response", "Request"));
            let unstable = request.is_some_and(|json| json["latestVersionUnstable"] == true);
            let (ours, theirs) = (our_outline(message, &module), their_outline(&json, unstable));
            count += 1;
            for (ours, theirs) in ours.lines().zip(theirs.lines()) {
                if ours != theirs {
                    writeln!(differences, "{name}:\n  ours   {ours}\n  Kafka's {theirs}").unwrap();
                    break;
                }
            }
            if ours.lines().count() != theirs.lines().count() {
                writeln!(differences, "{name}:\n{ours}\nKafka's:\n{theirs}").unwrap();
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert_eq!(count, millstream::protocol::messages::MESSAGES.len());
}

#[test]
fn every_api_that_clients_use_is_defined() {
    let folder = oracle::run(oracle::NEWEST, &["json"]);
    let mut left_out = BTreeSet::new();
    let modules = modules();
    let ours = modules.iter().flat_map(|module| &module.messages);
    let requests = ours.filter(|message| message.role == Role::Request);
    let names: BTreeSet<&str> = requests.map(|request| request.definition.as_str()).collect();
    for entry in std::fs::read_dir(folder.trim_end()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let Some(name) = stem.strip_suffix("Request") else { continue };
        let json = kafkas(path.parent().unwrap(), stem).unwrap();
        let removed = json["validVersions"] == "none";
        if !removed && !names.contains(name) {
            left_out.insert(name.to_owned());
        }
    }
    assert_eq!(left_out, NOT_DEFINED.map(str::to_owned).into());
}
