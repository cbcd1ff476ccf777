//! The compiler of definitions: what it accepts, and what it says about what it does not.

use crate::compile;
use crate::compile::tree::{Default, Module, Role};

const HEAD: &str = "api Sample  key 7  versions 2-9  flexible 5+\n\nrequest\n";

fn read(text: &str) -> Result<Module, String> {
    compile::read("schema/kafka/sample.txt", text).map_err(|fault| fault.to_string())
}

/// The complaint about a request with these fields, without the path.
fn complaint(fields: &str) -> String {
    let fault = read(&format!("{HEAD}{fields}\nresponse\n  error_code  i16\n")).unwrap_err();
    fault.strip_prefix("schema/kafka/sample.txt:").unwrap_or(&fault).to_owned()
}

#[test]
fn faults_come_with_file_and_line() {
    let fault = read("api Sample  key 7  versions 2-9  flexible 5+\n\nrequest\n  name  strin\n");
    let expected = "schema/kafka/sample.txt:4: no type `strin`; there are bool, i8, i16, i32, i64, \
                    u16, f64, uuid, string, bytes, records";
    assert_eq!(read(&format!("{HEAD}  name  strin\nresponse\n")).unwrap_err(), expected);
    assert_eq!(fault.unwrap_err(), "schema/kafka/sample.txt:1: `response` is missing");
}

#[test]
fn definitions_are_complete() {
    for (text, expected) in [
        ("", "1: no definition"),
        ("topic X\n", "1: `topic`: expected `api`, `record`, `data` or `struct`"),
        ("  api X\n", "1: a definition starts at the margin"),
        ("data sample\n", "1: a name in CamelCase follows the keyword"),
        ("data X  flexible never\n", "1: `versions` is missing"),
        ("data X  versions 0-1\n", "1: `flexible` is missing"),
        ("data X  versions 3+  flexible never\n", "1: `versions` takes a range such as 3-13"),
        ("data X  versions 0  flexible 9\n", "1: `flexible` takes `never` or such as 9+"),
        ("data X  versions 0  flexible 9+\n", "1: `flexible` begins behind the newest version"),
        ("data X  key 3  versions 0  flexible never\n", "1: `key` does not belong here"),
        (
            "api X  versions 0  flexible never\n",
            "1: `key` of an api or `type` of a record is missing",
        ),
        (
            "data X  versions 0  flexible never\n  a  i8\n\ndata X  versions 0  flexible never\n",
            "4: `X` is already defined in line 1",
        ),
    ] {
        let fault = read(text).unwrap_err();
        assert_eq!(fault, format!("schema/kafka/sample.txt:{expected}"));
    }
}

#[test]
fn fields_make_sense() {
    for (fields, expected) in [
        ("  name", "4: a field has a name and a type"),
        ("  Name  i8", "4: `Name`: a field's name is in snake_case"),
        ("  a  [[i8]]", "4: `[[i8]]` is not a type"),
        ("  a  i8 maybe", "4: `maybe` does not belong to a field"),
        ("  a  i8\n  a  i8", "5: `a` twice"),
        ("  a  i8?", "4: `i8` cannot be null"),
        ("  a  Missing", "4: `Missing` is not defined"),
        ("  a  i8\n      b  i8", "5: indented deeper than what it belongs to"),
        ("  a  i8\n    b  i8", "4: `i8` has no fields of its own"),
    ] {
        assert_eq!(complaint(fields), expected, "{fields}");
    }
    let text = format!(
        "{HEAD}  a  [Loop]\nresponse\n  b  i8\n\nstruct Loop\n  c  [Loop]\n\nstruct Idle\n  d  i8\n"
    );
    assert_eq!(read(&text).unwrap_err(), "schema/kafka/sample.txt:8: `Loop` contains itself");
    let text = text.replace("  c  [Loop]", "  c  i8");
    assert_eq!(read(&text).unwrap_err(), "schema/kafka/sample.txt:11: nothing uses `Idle`");
}

#[test]
fn versions_make_sense() {
    for (fields, expected) in [
        ("  a  i8  5-", "4: `5-` is not a range"),
        ("  a  i8  7-5", "4: `7-5` is not a range"),
        ("  a  i8  5+ 6+", "4: versions twice"),
        ("  a  i8  12+", "4: versions 12+ are not among 2-9"),
        ("  a  i8  2+", "4: 2+ goes without saying: all are 2-9"),
        ("  a  i8  5-9", "4: up to the newest version: write 5+"),
        ("  a  string  5+  nullable 2-4", "4: nullable only where the field does not exist"),
        ("  a  string?  nullable 5+", "4: `?` says nullable in all versions already"),
        ("  a  [Inner]  5+\n    b  i8  3+", "5: 3+ goes without saying: all are 5-9"),
    ] {
        assert_eq!(complaint(fields), expected, "{fields}");
    }
}

#[test]
fn tags_and_defaults_make_sense() {
    for (fields, expected) in [
        ("  a  i8  4+  tag 0", "4: a tag in a version that is not flexible"),
        ("  a  i8  5+  tag x", "4: `tag` takes a number"),
        ("  a  i8  5+  tag 0\n  b  i8  5+  tag 0", "5: tag 0 twice"),
        ("  a  records  5+  tag 0", "4: records cannot be in a tagged field"),
        ("  a  [Inner]\n    b  i8  5+  tag 0", "4: `Inner` may have no bytes at all"),
        ("  a  i8  =", "4: `=` takes a default"),
        ("  a  i8  = 128", "4: `128` is no i8"),
        ("  a  i8  = 0", "4: `= 0` goes without saying"),
        ("  a  bool  = false", "4: `= false` goes without saying"),
        ("  a  string?  = null", "4: `= null` goes without saying"),
        ("  a  string?  = x", "4: what may be null is null or `empty` by default"),
        ("  a  uuid  = 1", "4: `uuid` has no default"),
    ] {
        assert_eq!(complaint(fields), expected, "{fields}");
    }
}

#[test]
fn the_text_is_tidy() {
    for (fields, expected) in [
        ("  a  i8 \n", "4: spaces at the end of the line"),
        ("\ta  i8\n", "4: a tab: indent and align with spaces"),
        (&format!("  a  i8  # {}\n", "x".repeat(100)), "4: longer than 100 characters"),
        ("   a  i8\n", "4: an odd indentation: each level has two spaces"),
        ("  # about a\n\n  a  i8\n", "5: a blank line between a comment and what it is about"),
    ] {
        assert_eq!(complaint(fields), expected, "{fields}");
    }
    let text = "data X  versions 0  flexible never\n  a  i8\n# more\n";
    assert_eq!(read(text).unwrap_err(), "schema/kafka/sample.txt:3: a comment about nothing");
}

#[test]
fn a_definition_becomes_what_it_says() {
    let module = read(
        "# About the file.\n\n# About it.\napi Sample  key 7  versions 2-9  flexible 5+\n\n\
         request\n  # above\n  name   string  nullable 7+  # behind\n  level  i64  5+  tag 3  = max\n  \
         parts  [Part]?\n    size  i32\n\nresponse\n  parts  [Part]\n",
    )
    .unwrap();
    assert_eq!((module.name.as_str(), module.doc.len()), ("sample", 1));
    let [request, response] = module.messages.as_slice() else { panic!("two messages") };
    assert_eq!((request.role, request.number), (Role::Request, Some(7)));
    assert_eq!((response.role, response.struct_name.as_str()), (Role::Response, "SampleResponse"));
    let [sample, part, _] = module.structs.as_slice() else { panic!("three structs") };
    assert_eq!((part.borrows, part.bytes_min, part.contexts.len()), (false, 4, 1));
    assert_eq!((sample.borrows, sample.bytes_min), (true, 3));
    let [name, level, parts] = sample.fields.as_slice() else { panic!("three fields") };
    assert_eq!(name.doc, ["above", "behind"]);
    assert_eq!(name.nullable.unwrap().to_string(), "7+");
    assert_eq!((level.tag, level.default), (Some(3), Default::Integer(i64::MAX)));
    assert_eq!(parts.nullable.unwrap().to_string(), "0+");
}

#[test]
fn generated_text_names_what_was_defined() {
    let module = read(&format!("{HEAD}  name  string\nresponse\n  error_code  i16\n")).unwrap();
    let text = compile::messages(std::slice::from_ref(&module));
    for expected in [
        "pub mod sample {",
        "pub struct SampleRequest<'a> {",
        "pub name: &'a str,",
        "pub struct SampleResponse {",
        "const VERSIONS: RangeInclusive<i16> = 2..=9;",
        "info!(sample::SampleResponse),",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(compile::api_keys(&[module]).contains("Sample = 7,"));
}

#[test]
fn keys_and_names_are_not_given_twice() {
    let one = read(&format!("{HEAD}  a  i8\nresponse\n  b  i8\n")).unwrap();
    let two = read(&format!("{HEAD}  a  i8\nresponse\n  b  i8\n")).unwrap();
    let faults = compile::conflicts(&[one, two]);
    let faults: Vec<_> = faults.iter().map(|fault| fault.to_string()).collect();
    let expected = ["`SampleRequest` is defined elsewhere too", "key 7 is also that of Sample"];
    assert_eq!(faults, expected.map(|fault| format!("schema/kafka/sample.txt:1: {fault}")));
}

#[test]
fn the_example_in_the_readme_is_valid() {
    let readme = include_str!("../../schema/README.md");
    let example = readme.split("```").nth(1).unwrap();
    let module = read(example.trim_start()).unwrap();
    assert_eq!(module.structs.len(), 4);
}
