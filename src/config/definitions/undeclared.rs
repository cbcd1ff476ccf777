//! Names that files for Kafka hold though the definition of Kafka 4.3 does not list them: settings
//! of older versions, and of parts that read their settings themselves.

const ACLS: &str = "there is no authorizer yet: everyone may do everything";
const BROKER_IDS: &str = "a broker has the id that node.id says";
const JMX: &str = "metrics are not reported by JMX";
const MESSAGE_FORMAT: &str = "there is one message format; Kafka 4 dropped the setting";
const OLD_ADDRESS: &str = "replaced by listeners and advertised.listeners";
const REPLACED: &str = "Kafka 4 dropped the setting";
const TIERED: &str = "there is no tiered storage yet";
const VARIABLES: &str = "values are taken as they stand";
const ZOOKEEPER: &str = "there is no ZooKeeper; Kafka 4 dropped the setting";

static NAMES: &[(&str, &str)] = &[
    ("advertised.host.name", OLD_ADDRESS),
    ("advertised.port", OLD_ADDRESS),
    ("allow.everyone.if.no.acl.found", ACLS),
    ("auto.include.jmx.reporter", JMX),
    ("broker.id.generation.enable", BROKER_IDS),
    ("control.plane.listener.name", REPLACED),
    ("controlled.shutdown.max.retries", REPLACED),
    ("controlled.shutdown.retry.backoff.ms", REPLACED),
    ("delegation.token.master.key", "replaced by delegation.token.secret.key"),
    ("eligible.leader.replicas.enable", REPLACED),
    ("group.coordinator.new.enable", REPLACED),
    ("host.name", OLD_ADDRESS),
    ("inter.broker.protocol.version", REPLACED),
    ("leader.imbalance.per.broker.percentage", REPLACED),
    ("log.message.downconversion.enable", MESSAGE_FORMAT),
    ("log.message.format.version", MESSAGE_FORMAT),
    ("log.message.timestamp.difference.max.ms", "replaced by log.message.timestamp.before.max.ms"),
    ("metadata.log.segment.min.bytes", REPLACED),
    ("metrics.jmx.exclude", JMX),
    ("metrics.jmx.include", JMX),
    ("offsets.commit.required.acks", REPLACED),
    ("port", OLD_ADDRESS),
    ("reserved.broker.max.id", BROKER_IDS),
    ("super.users", ACLS),
];

static PREFIXES: &[(&str, &str)] = &[
    ("config.providers.", VARIABLES),
    ("password.encoder.", ZOOKEEPER),
    ("rlmm.config.", TIERED),
    ("rsm.config.", TIERED),
    ("zookeeper.", ZOOKEEPER),
];

/// Why a name that has no definition is accepted all the same.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    let named = NAMES.iter().find(|(known, _)| *known == name);
    let prefixed = || PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    named.or_else(prefixed).map(|(_, reason)| *reason)
}
