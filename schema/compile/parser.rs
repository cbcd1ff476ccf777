use super::fault::Fault;
use super::lexer::{self, Line, Lines};
use super::syntax::{Field, File, Flexible, Item, Keyword, Section};
use super::versions::Versions;

/// Reads one file.
pub fn parse(path: &str, text: &str) -> Result<File, Fault> {
    let Lines { head, lines } = lexer::lines(path, text)?;
    let mut parser = Parser { path, lines: lines.into_iter().peekable() };
    let mut items = Vec::new();
    while let Some(line) = parser.lines.next() {
        items.push(parser.item(&line)?);
    }
    if items.is_empty() {
        return Err(Fault::new(path, 1, "no definition"));
    }
    Ok(File { path: path.to_owned(), doc: head, items })
}

struct Parser<'a> {
    path: &'a str,
    lines: std::iter::Peekable<std::vec::IntoIter<Line>>,
}

impl Parser<'_> {
    fn fault<T>(&self, line: &Line, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(self.path, line.number, message))
    }

    fn item(&mut self, line: &Line) -> Result<Item, Fault> {
        let keyword = match line.words[0].as_str() {
            "api" => Keyword::Api,
            "record" => Keyword::Record,
            "data" => Keyword::Data,
            "struct" => Keyword::Struct,
            word => {
                let message = format!("`{word}`: expected `api`, `record`, `data` or `struct`");
                return self.fault(line, message);
            }
        };
        if line.depth != 0 {
            return self.fault(line, "a definition starts at the margin");
        }
        let Some(name) = line.words.get(1).filter(|name| is_type_name(name)) else {
            return self.fault(line, "a name in CamelCase follows the keyword");
        };
        let mut item = Item {
            line: line.number,
            doc: doc(line),
            keyword,
            name: name.clone(),
            number: None,
            versions: None,
            flexible: None,
            sections: Vec::new(),
        };
        self.attributes(line, &mut item)?;
        let sections: &[&str] = match keyword {
            Keyword::Api => &["request", "response"],
            Keyword::Record => &["key", "value"],
            Keyword::Data | Keyword::Struct => &[],
        };
        for section in sections {
            item.sections.push(self.section(line, section)?);
        }
        if sections.is_empty() {
            let fields = self.fields(1)?;
            item.sections.push(Section { line: line.number, name: String::new(), fields });
        }
        Ok(item)
    }

    /// What follows the name: `key 0  versions 3-13  flexible 9+`.
    fn attributes(&self, line: &Line, item: &mut Item) -> Result<(), Fault> {
        let mut words = line.words[2..].iter();
        while let Some(word) = words.next() {
            let value = words.next().map_or("", String::as_str);
            match (word.as_str(), item.keyword) {
                ("key", Keyword::Api) | ("type", Keyword::Record) => match value.parse() {
                    Ok(number) if number >= 0 => item.number = Some(number),
                    _ => return self.fault(line, format!("`{word}` takes a number")),
                },
                ("versions", Keyword::Api | Keyword::Record | Keyword::Data) => {
                    match Versions::parse(value) {
                        Some(range) if range.last != Versions::OPEN => item.versions = Some(range),
                        _ => return self.fault(line, "`versions` takes a range such as 3-13"),
                    }
                }
                ("flexible", Keyword::Api | Keyword::Record | Keyword::Data) => {
                    item.flexible = Some(match (value, Versions::parse(value)) {
                        ("never", _) => Flexible::Never,
                        (_, Some(Versions { first, last: Versions::OPEN })) => {
                            Flexible::From(first)
                        }
                        _ => return self.fault(line, "`flexible` takes `never` or such as 9+"),
                    });
                }
                _ => return self.fault(line, format!("`{word}` does not belong here")),
            }
        }
        let numbered = matches!(item.keyword, Keyword::Api | Keyword::Record);
        if numbered && item.number.is_none() {
            return self.fault(line, "`key` of an api or `type` of a record is missing");
        }
        if item.keyword != Keyword::Struct {
            if item.versions.is_none() {
                return self.fault(line, "`versions` is missing");
            }
            if item.flexible.is_none() {
                return self.fault(line, "`flexible` is missing");
            }
        }
        Ok(())
    }

    fn section(&mut self, item: &Line, name: &str) -> Result<Section, Fault> {
        let found = self.lines.next_if(|line| line.depth == 0 && line.words == [name]);
        let Some(line) = found else {
            return self.fault(item, format!("`{name}` is missing"));
        };
        Ok(Section { line: line.number, name: name.to_owned(), fields: self.fields(1)? })
    }

    /// The fields at one depth, each with the deeper lines that follow it.
    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, Fault> {
        let mut fields: Vec<Field> = Vec::new();
        while let Some(line) = self.lines.next_if(|line| line.depth >= depth) {
            if line.depth > depth {
                return self.fault(&line, "indented deeper than what it belongs to");
            }
            let mut field = self.field(&line)?;
            if self.lines.peek().is_some_and(|next| next.depth == depth + 1) {
                field.fields = Some(self.fields(depth + 1)?);
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn field(&self, line: &Line) -> Result<Field, Fault> {
        let [name, type_word, rest @ ..] = line.words.as_slice() else {
            return self.fault(line, "a field has a name and a type");
        };
        if !is_field_name(name) {
            return self.fault(line, format!("`{name}`: a field's name is in snake_case"));
        }
        let (bare, optional) = match type_word.strip_suffix('?') {
            Some(bare) => (bare, true),
            None => (type_word.as_str(), false),
        };
        let element = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']'));
        let type_name = element.unwrap_or(bare);
        if !type_name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || type_name.is_empty() {
            return self.fault(line, format!("`{type_word}` is not a type"));
        }
        let mut field = Field {
            line: line.number,
            doc: doc(line),
            name: name.clone(),
            type_name: type_name.to_owned(),
            array: element.is_some(),
            optional,
            ..Field::default()
        };
        self.field_attributes(line, rest, &mut field)?;
        Ok(field)
    }

    fn field_attributes(
        &self,
        line: &Line,
        words: &[String],
        field: &mut Field,
    ) -> Result<(), Fault> {
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or("");
            match word {
                "nullable" => match Versions::parse(value()) {
                    Some(range) => field.nullable = Some(range),
                    None => return self.fault(line, "`nullable` takes versions such as 7+"),
                },
                "tag" => match value().parse() {
                    Ok(tag) => field.tag = Some(tag),
                    Err(_) => return self.fault(line, "`tag` takes a number"),
                },
                "classic" => field.classic = true,
                "=" => match value() {
                    "" => return self.fault(line, "`=` takes a default"),
                    default => field.default = Some(default.to_owned()),
                },
                range if range.starts_with(|first: char| first.is_ascii_digit()) => {
                    match Versions::parse(range) {
                        Some(range) if field.versions.is_none() => field.versions = Some(range),
                        Some(_) => return self.fault(line, "versions twice"),
                        None => return self.fault(line, format!("`{range}` is not a range")),
                    }
                }
                word => return self.fault(line, format!("`{word}` does not belong to a field")),
            }
        }
        Ok(())
    }
}

fn doc(line: &Line) -> Vec<String> {
    line.above.iter().chain(&line.comment).cloned().collect()
}

fn is_type_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_field_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
