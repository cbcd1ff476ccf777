import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.coordinator.group.GroupCoordinatorConfig;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Reads lines of a verdict, a resource and settings, tab-separated, and prints them with Kafka's
 * verdict instead: "refused", or "ok" and the value of the first setting. The verdict of a new line
 * may be anything; "(unset)" removes a setting that all brokers have here.
 */
public final class Verdicts {
    private static final Map<String, String> BROKER = Map.of(
        "process.roles", "broker,controller",
        "node.id", "1",
        "controller.listener.names", "CONTROLLER",
        "controller.quorum.bootstrap.servers", "localhost:9093",
        "listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        "listener.security.protocol.map",
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL");

    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            String[] parts = line.substring(line.indexOf('\t') + 1).split("\t");
            Map<String, String> settings = new LinkedHashMap<>();
            for (String part : Arrays.copyOfRange(parts, 1, parts.length)) {
                String[] setting = part.split("=", 2);
                settings.put(setting[0], setting[1]);
            }
            System.out.println(verdict(parts[0], settings) + "\t" + String.join("\t", parts));
        }
    }

    private static String verdict(String resource, Map<String, String> settings) {
        String first = settings.keySet().iterator().next();
        try {
            switch (resource) {
                case "topic":
                    return ok(LogConfig.configDefCopy(), topic(settings), first);
                case "group":
                    return ok(GroupConfig.CONFIG_DEF, group(settings), first);
                default:
                    return ok(AbstractKafkaConfig.CONFIG_DEF, broker(settings), first);
            }
        } catch (Exception refusal) {
            return "refused";
        }
    }

    private static AbstractConfig topic(Map<String, String> settings) {
        LogConfig.validate(new HashMap<>(), settings, new HashMap<>(), false);
        return new LogConfig(settings);
    }

    private static AbstractConfig group(Map<String, String> settings) {
        AbstractConfig broker = new AbstractConfig(AbstractKafkaConfig.CONFIG_DEF, BROKER, false);
        GroupConfig.validate(settings, new GroupCoordinatorConfig(broker), new ShareGroupConfig(broker));
        return new GroupConfig(settings);
    }

    private static AbstractConfig broker(Map<String, String> settings) {
        Map<String, String> all = new HashMap<>(BROKER);
        all.putAll(settings);
        all.values().removeIf("(unset)"::equals);
        return new KafkaConfig(all, false);
    }

    private static String ok(ConfigDef definitions, AbstractConfig config, String first) {
        ConfigDef.ConfigKey key = definitions.configKeys().get(first);
        if (key == null) return "ok";
        return "ok " + ConfigDef.convertToString(config.values().get(first), key.type);
    }
}
