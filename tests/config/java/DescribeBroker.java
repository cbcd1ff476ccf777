import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Prints what a running Kafka answers to DescribeConfigs, one setting per line, tab-separated:
 * resource, name, value, source, read-only, sensitive, type, synonyms.
 * Arguments: the bootstrap servers, then alterations such as {@code broker:1:name=value}.
 */
public final class DescribeBroker {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(properties)) {
            List<ConfigResource> resources = new ArrayList<>();
            resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
            resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
            for (int i = 1; i < args.length; i++) alter(admin, args[i], resources);
            Thread.sleep(2000);
            for (ConfigResource resource : resources) print(admin, resource);
        }
    }

    private static void alter(Admin admin, String text, List<ConfigResource> resources) throws Exception {
        String[] parts = text.split(":", 3);
        ConfigResource.Type type = ConfigResource.Type.valueOf(parts[0].toUpperCase());
        ConfigResource resource = new ConfigResource(type, parts[1]);
        if (!resources.contains(resource)) {
            resources.add(resource);
            if (type == ConfigResource.Type.TOPIC) {
                NewTopic topic = new NewTopic(parts[1], 1, (short) 1);
                if (!admin.listTopics().names().get().contains(parts[1])) {
                    admin.createTopics(List.of(topic)).all().get();
                }
            }
        }
        if (parts[2].isEmpty()) return;
        String[] setting = parts[2].split("=", 2);
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(setting[0], setting[1]), AlterConfigOp.OpType.SET);
        Map<ConfigResource, Collection<AlterConfigOp>> alterations = Map.of(resource, List.of(op));
        admin.incrementalAlterConfigs(alterations).all().get();
    }

    private static void print(Admin admin, ConfigResource resource) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true);
        Config config = admin.describeConfigs(List.of(resource), options).all().get().get(resource);
        TreeMap<String, ConfigEntry> entries = new TreeMap<>();
        config.entries().forEach(entry -> entries.put(entry.name(), entry));
        for (ConfigEntry entry : entries.values()) {
            String synonyms = entry.synonyms().stream()
                .map(synonym -> synonym.source() + " " + synonym.name() + text(synonym.value()))
                .collect(Collectors.joining("; "));
            System.out.println(String.join("\t", resource.type().toString().toLowerCase() + ":" + resource.name(),
                entry.name(), text(entry.value()), entry.source().toString(), entry.isReadOnly() ? "read-only" : "",
                entry.isSensitive() ? "sensitive" : "", entry.type().toString(), synonyms));
        }
    }

    private static String text(String value) {
        return value == null ? "" : "=" + value;
    }
}
