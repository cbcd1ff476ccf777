//! DescribeConfigs: the settings of topics and brokers, and where each value comes from.
//!
//! Behaviour: as Kafka, each resource is answered by itself; keys that name no setting are passed
//! over, no key at all means all; a sensitive value is null. Loggers have no levels to describe:
//! `RUST_LOG` is read once at start. Other than by Kafka, a resource named twice is answered once,
//! as its first naming asks, and the answer is bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, Frame, Handled};
use super::topics::Topics;
use crate::config::{
    BrokerSettings, Described, Kind, Source, Synonym, describe_broker, describe_broker_defaults,
    describe_client_metrics, describe_group,
};
use crate::metadata::{Image, resource_type, validate_topic_name};
use crate::protocol::messages::create_topics::CreatableTopicConfigs;
use crate::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::NodeId;

/// An answer stops growing here; a name of a few bytes asks for kilobytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// What a resource counts for at least: looking it up has its price although little is told.
const RESOURCE_BYTES_MIN: usize = 2 << 10;

/// The settings of one resource, or why there are none.
type Rows = Result<Vec<Described>, (ErrorCode, String)>;

/// What the answer depends on.
struct Known<'a> {
    settings: &'a BrokerSettings,
    topics: &'a Topics,
    image: &'a Image,
    node: NodeId,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeConfigsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeConfigs request that cannot be decoded");
    };
    let known = Known {
        settings: ctx.settings,
        topics: ctx.topics,
        image: ctx.image,
        node: ctx.identity.node,
    };
    known.answer(&request, |response| {
        ctx.responder.respond(frame.correlation_id, frame.version, response, []);
    });
    Handled::Responded
}

impl Known<'_> {
    /// Builds the response around rows that live as long as `send` takes.
    fn answer(
        &self,
        request: &DescribeConfigsRequest<'_>,
        send: impl FnOnce(&DescribeConfigsResponse<'_>),
    ) {
        let mut seen = BTreeSet::new();
        let resources = request.resources.iter();
        let resources: Vec<_> = resources
            .filter(|resource| seen.insert((resource.resource_type, resource.resource_name)))
            .collect();
        let mut left = ANSWER_BYTES_MAX;
        let describe = |resource| {
            if left == 0 {
                return Err(invalid("ask for fewer resources".to_owned()));
            }
            let rows = self.describe(resource);
            let bytes = rows.iter().flatten().map(|row| row_bytes(row, request)).sum::<usize>();
            left = left.saturating_sub(bytes.max(RESOURCE_BYTES_MIN));
            rows
        };
        let described: Vec<Rows> = resources.iter().map(describe).collect();
        let synonyms: Vec<Vec<Vec<DescribeConfigsSynonym<'_>>>> = described
            .iter()
            .map(|rows| {
                let rows = rows.iter().flatten().filter(|_| request.include_synonyms);
                rows.map(|row| row.synonyms.iter().map(synonym).collect()).collect()
            })
            .collect();
        let configs: Vec<Vec<DescribeConfigsResourceResult<'_>>> = described
            .iter()
            .zip(&synonyms)
            .map(|(rows, synonyms)| {
                let rows = rows.iter().flatten().enumerate();
                rows.map(|(index, row)| DescribeConfigsResourceResult {
                    synonyms: synonyms.get(index).map_or(Array::EMPTY, |list| Array::new(list)),
                    documentation: row.documentation.filter(|_| request.include_documentation),
                    ..setting(row)
                })
                .collect()
            })
            .collect();
        let results: Vec<DescribeConfigsResult<'_>> = resources
            .iter()
            .zip(described.iter().zip(&configs))
            .map(|(resource, (rows, configs))| result(resource, rows, configs))
            .collect();
        send(&DescribeConfigsResponse { results: Array::new(&results), ..Default::default() });
    }

    fn describe(&self, resource: &DescribeConfigsResource<'_>) -> Rows {
        let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
        let keys = keys.map(|keys| keys.iter().collect::<BTreeSet<&str>>());
        let wanted = |name: &str| keys.as_ref().is_none_or(|keys| keys.contains(name));
        let name = resource.resource_name;
        let own = || {
            let settings = self.image.settings(resource.resource_type, name);
            settings.map(|settings| BTreeMap::clone(settings)).unwrap_or_default()
        };
        match resource.resource_type {
            resource_type::TOPIC => self.topic(name, wanted),
            resource_type::BROKER if name.is_empty() => {
                Ok(describe_broker_defaults(self.settings, wanted))
            }
            resource_type::BROKER => {
                self.check_node(name)?;
                Ok(describe_broker(self.settings, wanted))
            }
            resource_type::BROKER_LOGGER => {
                self.check_node(name)?;
                Ok(Vec::new())
            }
            resource_type::CLIENT_METRICS | resource_type::GROUP if name.is_empty() => {
                Err(invalid("the name of a group or subscription is not empty".to_owned()))
            }
            resource_type::CLIENT_METRICS => Ok(describe_client_metrics(&own(), wanted)),
            resource_type::GROUP => Ok(describe_group(self.settings, &own(), wanted)),
            other => Err(invalid(format!("resources of type {other} have no settings"))),
        }
    }

    fn topic(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Rows {
        validate_topic_name(name)
            .map_err(|error| (ErrorCode::InvalidTopicException, error.to_string()))?;
        let Some(entry) = self.topics.by_name(name) else {
            let code = ErrorCode::UnknownTopicOrPartition;
            return Err((code, format!("the topic {name} does not exist")));
        };
        Ok(self.topics.describe(self.settings, &entry.topic.settings, wanted))
    }

    /// Brokers are asked for their own settings only.
    fn check_node(&self, name: &str) -> Result<(), (ErrorCode, String)> {
        match name.parse::<i32>() {
            Ok(node) if node == self.node.get() => Ok(()),
            Ok(_) => Err(invalid(format!("this is broker {}: ask broker {name}", self.node))),
            Err(_) => Err(invalid(format!("a broker's id is a whole number, not {name:?}"))),
        }
    }
}

/// About what a row is in the answer.
fn row_bytes(row: &Described, request: &DescribeConfigsRequest<'_>) -> usize {
    const NUMBERS: usize = 16;
    let text = |name: &str, value: &Option<String>| {
        NUMBERS + name.len() + value.as_ref().map_or(0, String::len)
    };
    let synonyms = row.synonyms.iter().filter(|_| request.include_synonyms);
    let synonyms = synonyms.map(|synonym| text(&synonym.name, &synonym.value)).sum::<usize>();
    let documentation = row.documentation.filter(|_| request.include_documentation);
    text(&row.name, &row.value) + synonyms + documentation.map_or(0, str::len)
}

fn invalid(message: String) -> (ErrorCode, String) {
    (ErrorCode::InvalidRequest, message)
}

fn result<'a>(
    resource: &DescribeConfigsResource<'a>,
    rows: &'a Rows,
    configs: &'a [DescribeConfigsResourceResult<'a>],
) -> DescribeConfigsResult<'a> {
    let (code, message) = match rows {
        Ok(_) => (ErrorCode::None, ""),
        Err((code, message)) => (*code, message.as_str()),
    };
    DescribeConfigsResult {
        error_code: code.code(),
        error_message: Some(message),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        configs: Array::new(configs),
    }
}

fn setting(row: &Described) -> DescribeConfigsResourceResult<'_> {
    DescribeConfigsResourceResult {
        name: &row.name,
        value: row.value.as_deref(),
        read_only: row.read_only,
        config_source: source_number(row.source),
        is_sensitive: row.sensitive,
        config_type: row.kind.map_or(0, kind_number),
        ..Default::default()
    }
}

fn synonym(synonym: &Synonym) -> DescribeConfigsSynonym<'_> {
    DescribeConfigsSynonym {
        name: &synonym.name,
        value: synonym.value.as_deref(),
        source: source_number(synonym.source),
    }
}

/// A setting as CreateTopics answers it.
pub(super) fn creatable(row: &Described) -> CreatableTopicConfigs<'_> {
    CreatableTopicConfigs {
        name: &row.name,
        value: row.value.as_deref(),
        read_only: row.read_only,
        config_source: source_number(row.source),
        is_sensitive: row.sensitive,
    }
}

/// Kafka's numbers for where values come from; 6 are loggers.
fn source_number(source: Source) -> i8 {
    match source {
        Source::Topic => 1,
        Source::DynamicBroker => 2,
        Source::DynamicDefault => 3,
        Source::Static => 4,
        Source::Default => 5,
        Source::ClientMetrics => 7,
        Source::Group => 8,
    }
}

/// Kafka's numbers for types of values; 0 is unknown.
fn kind_number(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::Text => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Machine, Properties, Sources};
    use crate::metadata::{LogIndex, MetadataEntry, MetadataRecord};
    use crate::protocol::{Writer, write_response};
    use crate::types::Uuid;

    const FILE: &str = "node.id=1\nnum.partitions=4\nlog.segment.bytes=2000000\n\
                        ssl.key.password=secret\nlog.retention.hours=2\n";

    fn settings() -> BrokerSettings {
        let file = Properties::parse("server.properties", FILE).unwrap();
        let machine = Machine { memory_bytes: 1 << 30, cores: 2 };
        let sources = Sources { file: Some(&file), overrides: &[], machine, strict: false };
        BrokerSettings::resolve(&sources).unwrap().settings
    }

    fn image() -> Image {
        let id = Uuid::from_halves(1, 2);
        let setting = |name: &str, value: &str| MetadataRecord::Setting {
            resource_type: resource_type::TOPIC,
            resource: "orders".to_owned(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        let records = vec![
            MetadataRecord::Topic { id, name: "orders".to_owned() },
            setting("segment.bytes", "6000000"),
            setting("retention.ms", "1000"),
        ];
        let entry = MetadataEntry { at: LogIndex { term: 1, index: 1 }, records };
        Image::new(Uuid::from_halves(3, 4)).apply(&entry).unwrap()
    }

    /// Asks for one resource, and gives the answer as it arrives in a version.
    fn asked(
        version: i16,
        kind: i8,
        name: &str,
        keys: Option<&[&str]>,
        check: impl FnOnce(&DescribeConfigsResult<'_>),
    ) {
        let (settings, image) = (settings(), image());
        let mut topics = Topics::default();
        let ids: Vec<Uuid> = image.topics().map(|topic| topic.id).collect();
        topics.update(&image, &ids, &settings);
        let node = NodeId::new(1);
        let known = Known { settings: &settings, topics: &topics, image: &image, node };
        let resources = [DescribeConfigsResource {
            resource_type: kind,
            resource_name: name,
            configuration_keys: keys.map(Array::new),
        }];
        let request = DescribeConfigsRequest {
            resources: Array::new(&resources),
            include_synonyms: true,
            include_documentation: version >= 3,
        };
        let mut writer = Writer::default();
        known.answer(&request, |response| {
            write_response(&mut writer, 7, version, response).unwrap();
        });
        let flexible = DescribeConfigsResponse::FLEXIBLE_FROM.is_some_and(|first| version >= first);
        let header_bytes = if flexible { 9 } else { 8 };
        let body = &writer.bytes()[header_bytes..];
        let response = DescribeConfigsResponse::decode(body, version).unwrap();
        assert_eq!(response.results.len(), 1);
        check(&response.results.iter().next().unwrap());
    }

    fn error(kind: i8, name: &str) -> i16 {
        let mut code = 0;
        asked(4, kind, name, None, |result| {
            assert!(result.configs.is_empty());
            assert_eq!(result.resource_name, name);
            code = result.error_code;
        });
        code
    }

    #[test]
    fn a_topic_in_every_version() {
        for version in 1..=4 {
            asked(version, 2, "orders", Some(&["segment.bytes", "no.such"]), |result| {
                assert_eq!((result.error_code, result.error_message), (0, Some("")));
                assert_eq!(result.configs.len(), 1);
                let row = result.configs.iter().next().unwrap();
                assert_eq!((row.name, row.value), ("segment.bytes", Some("6000000")));
                assert_eq!((row.read_only, row.is_sensitive, row.config_source), (false, false, 1));
                let synonyms: Vec<_> =
                    row.synonyms.iter().map(|one| (one.name, one.value, one.source)).collect();
                let broker = "log.segment.bytes";
                assert_eq!(
                    synonyms,
                    [
                        ("segment.bytes", Some("6000000"), 1),
                        (broker, Some("2000000"), 4),
                        (broker, Some("1073741824"), 5)
                    ]
                );
                if version >= 3 {
                    assert_eq!(row.config_type, 3);
                    assert!(row.documentation.unwrap().contains("segment"));
                }
            });
        }
    }

    #[test]
    fn all_settings_of_a_topic_come_sorted() {
        for keys in [None, Some(&[][..])] {
            asked(4, 2, "orders", keys, |result| {
                let names: Vec<_> = result.configs.iter().map(|row| row.name).collect();
                assert!(names.is_sorted());
                // Kafka 4.3 has 33; ours is one more.
                assert_eq!(names.len(), 34);
                assert!(names.contains(&"ack.durability"));
                let row = result.configs.iter().find(|row| row.name == "retention.ms").unwrap();
                assert_eq!((row.value, row.config_source), (Some("1000"), 1));
            });
        }
    }

    #[test]
    fn a_broker_with_its_file_and_its_secrets() {
        let keys = ["node.id", "num.partitions", "log.retention.ms", "ssl.key.password"];
        asked(4, 4, "1", Some(&keys), |result| {
            let rows: Vec<_> = result
                .configs
                .iter()
                .map(|row| (row.name, row.value, row.read_only, row.config_source))
                .collect();
            assert_eq!(
                rows,
                [
                    ("log.retention.ms", None, false, 5),
                    ("node.id", Some("1"), true, 4),
                    ("num.partitions", Some("4"), true, 4),
                    ("ssl.key.password", None, false, 4),
                ]
            );
            assert!(result.configs.iter().nth(3).unwrap().is_sensitive);
        });
        asked(4, 4, "", None, |result| assert!(result.configs.is_empty()));
        asked(4, 8, "1", None, |result| assert_eq!(result.error_code, 0));
    }

    #[test]
    fn groups_and_subscriptions_have_their_defaults() {
        asked(4, 32, "workers", Some(&["consumer.session.timeout.ms"]), |result| {
            let row = result.configs.iter().next().unwrap();
            assert_eq!((row.value, row.config_source, row.config_type), (Some("45000"), 5, 3));
        });
        asked(4, 16, "all", None, |result| assert_eq!(result.configs.len(), 3));
    }

    #[test]
    fn what_is_not_there_has_kafkas_codes() {
        for (kind, name, code) in [
            (2, "none", 3),
            (2, "bad name!", 17),
            (2, "", 17),
            (4, "2", 42),
            (4, "x", 42),
            (8, "", 42),
            (8, "2", 42),
            (16, "", 42),
            (32, "", 42),
            (3, "q", 42),
        ] {
            assert_eq!(error(kind, name), code, "{kind} {name:?}");
        }
    }

    fn resource(kind: i8, name: &str) -> DescribeConfigsResource<'_> {
        DescribeConfigsResource {
            resource_type: kind,
            resource_name: name,
            configuration_keys: None,
        }
    }

    #[test]
    fn what_is_asked_again_and_again_is_answered_once() {
        let (settings, image, topics) = (settings(), image(), Topics::default());
        let node = NodeId::new(1);
        let known = Known { settings: &settings, topics: &topics, image: &image, node };
        let resources = vec![resource(4, "1"); 1000];
        let resources = Array::new(&resources);
        let request = DescribeConfigsRequest { resources, ..Default::default() };
        known.answer(&request, |response| assert_eq!(response.results.len(), 1));
    }

    #[test]
    fn an_answer_is_bounded() {
        let (settings, image, topics) = (settings(), image(), Topics::default());
        let node = NodeId::new(1);
        let known = Known { settings: &settings, topics: &topics, image: &image, node };
        let names: Vec<String> = (0..50_000).map(|group| format!("g{group}")).collect();
        let resources: Vec<_> = names.iter().map(|name| resource(32, name)).collect();
        let resources = Array::new(&resources);
        let request = DescribeConfigsRequest {
            resources,
            include_synonyms: true,
            include_documentation: true,
        };
        known.answer(&request, |response| {
            assert_eq!(response.results.len(), names.len());
            let first = response.results.iter().next().unwrap();
            let last = response.results.iter().last().unwrap();
            assert_eq!((first.error_code, last.error_code), (0, ErrorCode::InvalidRequest.code()));
            let mut writer = Writer::default();
            write_response(&mut writer, 7, 4, response).unwrap();
            let bytes = writer.bytes().len();
            assert!(bytes > ANSWER_BYTES_MAX / 2 && bytes < 2 * ANSWER_BYTES_MAX, "{bytes}");
        });
    }

    #[test]
    fn resources_are_answered_in_their_order() {
        let (settings, image) = (settings(), Arc::new(image()));
        let topics = Topics::default();
        let node = NodeId::new(1);
        let known = Known { settings: &settings, topics: &topics, image: &image, node };
        let resources = [resource(4, "1"), resource(2, "gone"), resource(4, "")];
        let request = DescribeConfigsRequest {
            resources: Array::new(&resources),
            include_synonyms: false,
            include_documentation: false,
        };
        known.answer(&request, |response| {
            let results: Vec<_> = response.results.iter().collect();
            let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
            assert_eq!(codes, [0, 3, 0]);
            for row in results[0].configs.iter() {
                assert!(row.synonyms.is_empty() && row.documentation.is_none(), "{}", row.name);
            }
        });
    }
}
