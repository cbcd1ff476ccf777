import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.internals.BrokerSecurityConfigs;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Prints what the Kafka on the class path knows of its settings, one per line, tab-separated:
 * resource, name, type, default, allowed values, update mode, whether internal, broker synonyms.
 */
public final class KafkaSettings {
    private static final String NULL = "null";

    public static void main(String[] args) {
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        print("broker", AbstractKafkaConfig.CONFIG_DEF, name -> modes.getOrDefault(name, "read-only"),
            name -> DynamicBrokerConfig.brokerConfigSynonyms(name, true));
        print("broker-quota", QuotaConfig.brokerQuotaConfigs(), name -> "dynamic", name -> List.of());
        print("topic", new ConfigDef(LogConfig.configDefCopy()), name -> "dynamic",
            KafkaSettings::topicSynonyms);
        print("group", GroupConfig.CONFIG_DEF, name -> "dynamic",
            name -> GroupConfig.brokerSynonym(name).map(List::of).orElse(List.of()));
        print("client-metrics", ClientMetricsConfigs.configDef(), name -> "dynamic", name -> List.of());
        print("user-quota", QuotaConfig.userAndClientQuotaConfigs(), name -> "dynamic", name -> List.of());
        print("ip-quota", QuotaConfig.ipConfigs(), name -> "dynamic", name -> List.of());
    }

    private static List<String> topicSynonyms(String name) {
        List<ConfigSynonym> synonyms =
            ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(name, List.of());
        return synonyms.stream().map(ConfigSynonym::name).collect(Collectors.toList());
    }

    private interface OfName<T> {
        T of(String name);
    }

    private static void print(String resource, ConfigDef definitions, OfName<String> mode,
                              OfName<List<String>> synonyms) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(definitions.configKeys()).values()) {
            List<String> row = new ArrayList<>();
            Collections.addAll(row, resource, key.name, key.type.toString(), defaultOf(key),
                allowed(key), mode.of(key.name), key.internalConfig ? "internal" : "public",
                String.join(",", synonyms.of(key.name)));
            System.out.println(String.join("\t", row));
        }
    }

    private static String defaultOf(ConfigDef.ConfigKey key) {
        if (!key.hasDefault()) return "required";
        String text = ConfigDef.convertToString(key.defaultValue, key.type);
        return text == null ? NULL : "=" + text;
    }

    private static String allowed(ConfigDef.ConfigKey key) {
        return key.validator == null ? "" : key.validator.toString().replaceAll("\\s+", " ");
    }
}
