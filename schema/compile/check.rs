//! From what a file says to what it means. The first thing that makes no sense is reported.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::measure;
use super::syntax::{self, Flexible, Item, Keyword};
use super::tree::{Context, Default, Field, Kind, Message, Module, Role, Struct, Type};
use super::versions::Versions;

/// Checks one file.
pub fn check(file: &syntax::File) -> Result<Module, Fault> {
    let mut checker = Checker { path: &file.path, structs: Vec::new(), places: BTreeMap::new() };
    let mut messages = Vec::new();
    for item in &file.items {
        checker.item(item, &mut messages)?;
    }
    for message in &messages {
        checker.spread(&message.struct_name, message.context, &mut Vec::new())?;
    }
    for found in &checker.structs {
        checker.check_struct(found)?;
    }
    measure::measure(&mut checker.structs, &checker.places);
    checker.check_elements()?;
    let name = file.path.rsplit('/').next().unwrap_or("").trim_end_matches(".txt").to_owned();
    Ok(Module { name, doc: file.doc.clone(), messages, structs: checker.structs })
}

struct Checker<'a> {
    path: &'a str,
    structs: Vec<Struct>,
    /// Where each struct stands in `structs`.
    places: BTreeMap<String, usize>,
}

impl Checker<'_> {
    fn fault<T>(&self, line: usize, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(self.path, line, message))
    }

    fn item(&mut self, item: &Item, messages: &mut Vec<Message>) -> Result<(), Fault> {
        for section in &item.sections {
            let (suffix, role) = match (item.keyword, section.name.as_str()) {
                (Keyword::Struct, _) => {
                    self.define(item.line, &item.name, &item.doc, &section.fields)?;
                    continue;
                }
                (Keyword::Api, "request") => ("Request", Role::Request),
                (Keyword::Api, _) => ("Response", Role::Response),
                (Keyword::Record, "key") => ("Key", Role::Key),
                (Keyword::Record, _) => ("Value", Role::Value),
                (Keyword::Data, _) => ("", Role::Data),
            };
            let struct_name = format!("{}{suffix}", item.name);
            self.define(section.line, &struct_name, &[], &section.fields)?;
            let context = match role {
                // Kafka tells keys apart by their type; they never got a second version.
                Role::Key => {
                    Context { versions: Versions { first: 0, last: 0 }, flexible_from: None }
                }
                _ => self.context(item)?,
            };
            messages.push(Message {
                definition: item.name.clone(),
                struct_name,
                role,
                number: item.number,
                context,
                doc: item.doc.clone(),
            });
        }
        Ok(())
    }

    fn context(&self, item: &Item) -> Result<Context, Fault> {
        let versions = item.versions.unwrap_or(Versions::ALL);
        let flexible_from = match item.flexible {
            Some(Flexible::From(first)) if first > versions.last => {
                return self.fault(item.line, "`flexible` begins behind the newest version");
            }
            Some(Flexible::From(first)) => Some(first),
            Some(Flexible::Never) | None => None,
        };
        Ok(Context { versions, flexible_from })
    }

    /// Takes in a struct and those defined inside of it.
    fn define(
        &mut self,
        line: usize,
        name: &str,
        doc: &[String],
        fields: &[syntax::Field],
    ) -> Result<(), Fault> {
        if let Some(place) = self.places.get(name) {
            let other = self.structs[*place].line;
            return self.fault(line, format!("`{name}` is already defined in line {other}"));
        }
        self.places.insert(name.to_owned(), self.structs.len());
        self.structs.push(Struct {
            line,
            name: name.to_owned(),
            doc: doc.to_vec(),
            fields: fields.iter().map(|field| self.field(field)).collect::<Result<_, _>>()?,
            contexts: Vec::new(),
            borrows: false,
            bytes_min: 0,
        });
        for field in fields {
            if let Some(inner) = &field.fields {
                if Type::NAMED.iter().any(|(name, _)| *name == field.type_name) {
                    let message = format!("`{}` has no fields of its own", field.type_name);
                    return self.fault(field.line, message);
                }
                self.define(field.line, &field.type_name, &[], inner)?;
            }
        }
        Ok(())
    }

    fn field(&self, field: &syntax::Field) -> Result<Field, Fault> {
        let named = Type::NAMED.iter().find(|(name, _)| *name == field.type_name);
        let of = match named {
            Some((_, of)) => of.clone(),
            None if field.type_name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                Type::Struct(field.type_name.clone())
            }
            None => {
                let names: Vec<_> = Type::NAMED.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                let message = format!("no type `{}`; there are {names}", field.type_name);
                return self.fault(field.line, message);
            }
        };
        let kind = if field.array { Kind::Array(of) } else { Kind::One(of) };
        let versions = field.versions.unwrap_or(Versions::ALL);
        if field.optional && field.nullable.is_some() {
            return self.fault(field.line, "`?` says nullable in all versions already");
        }
        let nullable = if field.optional { Some(versions) } else { field.nullable };
        let can_be_null = match &kind {
            Kind::Array(_) => true,
            Kind::One(of) => {
                matches!(of, Type::String | Type::Bytes | Type::Records | Type::Struct(_))
            }
        };
        if nullable.is_some() && !can_be_null {
            return self.fault(field.line, format!("`{}` cannot be null", field.type_name));
        }
        Ok(Field {
            line: field.line,
            name: field.name.clone(),
            doc: field.doc.clone(),
            default: self.default(field, &kind, nullable.is_some())?,
            kind,
            versions,
            nullable,
            tag: field.tag,
            classic: field.classic,
        })
    }

    fn default(
        &self,
        field: &syntax::Field,
        kind: &Kind,
        nullable: bool,
    ) -> Result<Default, Fault> {
        let Some(word) = field.default.as_deref() else { return Ok(Default::Plain) };
        let redundant = || self.fault(field.line, format!("`= {word}` goes without saying"));
        if nullable {
            return match word {
                "empty" => Ok(Default::Empty),
                "null" => redundant(),
                _ => self.fault(field.line, "what may be null is null or `empty` by default"),
            };
        }
        match (kind, word) {
            (Kind::One(Type::Bool), "true") => Ok(Default::True),
            (Kind::One(Type::Bool), "false") => redundant(),
            (Kind::One(of), _) if of.limits().is_some() => {
                let (min, max) = of.limits().unwrap_or_default();
                let value = match word {
                    "min" => Some(min),
                    "max" => Some(max),
                    _ => word.parse().ok().filter(|value| (min..=max).contains(value)),
                };
                match value {
                    Some(0) => redundant(),
                    Some(value) => Ok(Default::Integer(value)),
                    None => {
                        let message = format!("`{word}` is no {}", field.type_name);
                        self.fault(field.line, message)
                    }
                }
            }
            _ => self.fault(field.line, format!("`{}` has no default", field.type_name)),
        }
    }

    /// Tells a struct, and all inside of it, under which versions it is encoded.
    fn spread(&mut self, name: &str, context: Context, way: &mut Vec<String>) -> Result<(), Fault> {
        let place = self.places[name];
        let line = self.structs[place].line;
        if way.iter().any(|above| above == name) {
            return self.fault(line, format!("`{name}` contains itself"));
        }
        if !self.structs[place].contexts.contains(&context) {
            self.structs[place].contexts.push(context);
        }
        way.push(name.to_owned());
        for index in 0..self.structs[place].fields.len() {
            let field = &self.structs[place].fields[index];
            let Some(versions) = field.versions.intersection(context.versions) else { continue };
            if let Type::Struct(inner) = field.kind.element() {
                let inner = inner.clone();
                if !self.places.contains_key(&inner) {
                    return self.fault(field.line, format!("`{inner}` is not defined"));
                }
                self.spread(&inner, Context { versions, ..context }, way)?;
            }
        }
        way.pop();
        Ok(())
    }

    fn check_struct(&self, found: &Struct) -> Result<(), Fault> {
        if found.contexts.is_empty() {
            return self.fault(found.line, format!("nothing uses `{}`", found.name));
        }
        for (index, field) in found.fields.iter().enumerate() {
            if found.fields[..index].iter().any(|other| other.name == field.name) {
                return self.fault(field.line, format!("`{}` twice", field.name));
            }
            self.check_versions(found, field)?;
            self.check_tag(found, index, field)?;
        }
        Ok(())
    }

    fn check_versions(&self, found: &Struct, field: &Field) -> Result<(), Fault> {
        let all = found.versions();
        let Some(present) = field.versions.intersection(all) else {
            let message = format!("versions {} are not among {all}", field.versions);
            return self.fault(field.line, message);
        };
        if field.versions != Versions::ALL {
            if present == all {
                let message = format!("{} goes without saying: all are {all}", field.versions);
                return self.fault(field.line, message);
            }
            if field.versions.last != Versions::OPEN && field.versions.last >= all.last {
                let first = field.versions.first;
                let message = format!("up to the newest version: write {first}+");
                return self.fault(field.line, message);
            }
        }
        match field.nullable.map(|nullable| nullable.intersection(present)) {
            Some(None) => self.fault(field.line, "nullable only where the field does not exist"),
            _ => Ok(()),
        }
    }

    fn check_tag(&self, found: &Struct, index: usize, field: &Field) -> Result<(), Fault> {
        let Some(tag) = field.tag else { return Ok(()) };
        if found.fields[..index].iter().any(|other| other.tag == Some(tag)) {
            return self.fault(field.line, format!("tag {tag} twice"));
        }
        let classic = found.contexts.iter().any(|context| {
            let present = field.versions.intersection(context.versions);
            present.is_some_and(|present| !context.is_flexible(present.first))
        });
        if classic {
            return self.fault(field.line, "a tag in a version that is not flexible");
        }
        if self.holds_records(field.kind.element()) {
            return self.fault(field.line, "records cannot be in a tagged field");
        }
        Ok(())
    }

    /// An element without bytes would let a count of two billion fit into nothing.
    fn check_elements(&self) -> Result<(), Fault> {
        for field in self.structs.iter().flat_map(|found| &found.fields) {
            if let Kind::Array(Type::Struct(name)) = &field.kind
                && self.structs[self.places[name]].bytes_min == 0
            {
                return self.fault(field.line, format!("`{name}` may have no bytes at all"));
            }
        }
        Ok(())
    }

    fn holds_records(&self, of: &Type) -> bool {
        match of {
            Type::Records => true,
            Type::Struct(name) => {
                let inner = &self.structs[self.places[name]];
                inner.fields.iter().any(|field| self.holds_records(field.kind.element()))
            }
            _ => false,
        }
    }
}
