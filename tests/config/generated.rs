//! Properties over generated texts.

use std::collections::BTreeMap;

use millstream::config::{
    BrokerSettings, Properties, Sources, TopicSettings, Value, broker_settings, describe_topic,
    topic_settings,
};
use proptest::prelude::*;

use crate::facts::{MACHINE, given};

/// Pieces that mean something to files of properties.
fn file_text() -> impl Strategy<Value = String> {
    let names: Vec<&str> = broker_settings().map(|definition| definition.name).collect();
    let lines: Vec<String> = names.iter().map(|name| format!("\n{name}=")).collect();
    let piece = prop_oneof![
        "[=: \t\\\\\n\r#!a-z0-9.,-]{0,8}",
        proptest::sample::select(names).prop_map(str::to_owned),
        // Values that settings can have, and some that do not go together.
        (proptest::sample::select(lines), "-?[0-9]{1,10}|[a-z]{0,5}|[A-Z]{1,9}(:PLAINTEXT|:SSL)?")
            .prop_map(|(line, value)| line + &value + "\n"),
        Just("\\u00e9".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(file) = Properties::parse_bytes("file", &bytes) {
            let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
            for property in file.counting() {
                prop_assert!(property.line as usize <= lines);
            }
        }
    }

    #[test]
    fn any_file_starts_a_broker_or_is_refused_on_lines_of_its_own(text in file_text()) {
        let Ok(file) = Properties::parse("file", &text) else { return Ok(()) };
        let overrides = [text.as_str()];
        for (overrides, strict) in [(&[][..], false), (&[], true), (&overrides, false)] {
            let sources = Sources { file: Some(&file), overrides, machine: MACHINE, strict };
            let told = match BrokerSettings::resolve(&sources) {
                Ok(resolved) => resolved.notices.iter().map(ToString::to_string).collect(),
                Err(errors) => errors.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
            };
            for line in told {
                prop_assert!(!line.contains('\n'), "{line:?}");
                prop_assert!(line.starts_with("file:") || line.starts_with("--set "), "{line:?}");
            }
        }
    }

    #[test]
    fn values_are_shown_in_a_form_that_means_the_same(
        index in 0..topic_settings().count(),
        text in prop_oneof!["-?[0-9]{1,19}", "[0-9]{0,3}[.][0-9]{1,9}(E-?[0-9])?", "[a-z, ]{0,12}"],
    ) {
        let definition = topic_settings().nth(index).unwrap();
        if let Ok(value) = Value::parse(definition, &text) {
            prop_assert_eq!(Value::parse(definition, &value.to_string()), Ok(value));
        }
    }

    #[test]
    fn topics_are_resolved_or_refused_and_always_described(
        names in proptest::collection::vec(0..topic_settings().count(), 0..6),
        value in prop_oneof!["-?[0-9]{1,19}", "0[.][0-9]", "true", "delete", "gzip", any::<String>()],
    ) {
        let name = |index: usize| topic_settings().nth(index).unwrap().name.to_owned();
        let overrides: BTreeMap<String, String> =
            names.into_iter().map(|index| (name(index), value.clone())).collect();
        let broker = given(&[]).unwrap();
        if let Err(error) = TopicSettings::resolve(&overrides, &broker) {
            prop_assert!(error.to_string().contains(": expected "), "{}", error);
        }
        let described = describe_topic(&broker, &overrides, |_| true);
        prop_assert!(described.len() + 1 >= topic_settings().count());
    }
}
