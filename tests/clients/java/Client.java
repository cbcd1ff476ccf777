import java.io.BufferedReader;
import java.io.OutputStream;
import java.io.IOException;
import java.io.BufferedWriter;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own client with the two verbs of ../README.md. */
public class Client {
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "produce" -> produce(args[1], args[2], args[3], args[4]);
            case "consume" -> consume(args[1], args[2], Integer.parseInt(args[3]));
            case "join" -> join(args[1], args[2], args[3]);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static void join(String bootstrap, String topic, String group) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", bootstrap,
            "group.id", group,
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest",
            "session.timeout.ms", 6000,
            "heartbeat.interval.ms", 1000,
            "max.poll.records", 200);
        var bytes = new ByteArrayDeserializer();
        AtomicBoolean ended = new AtomicBoolean();
        Thread untilStdinEnds = new Thread(() -> {
            try {
                System.in.transferTo(OutputStream.nullOutputStream());
            } catch (IOException error) {
                System.err.println(error);
            }
            ended.set(true);
        });
        untilStdinEnds.setDaemon(true);
        untilStdinEnds.start();
        try (var consumer = new KafkaConsumer<>(settings, bytes, bytes);
                var out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII))) {
            consumer.subscribe(List.of(topic));
            while (!ended.get()) {
                var records = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    out.write(line(record));
                }
                if (!records.isEmpty()) {
                    out.flush();
                    try {
                        consumer.commitSync();
                    } catch (KafkaException error) {
                        // What was not committed comes again.
                        System.err.println(error);
                    }
                }
            }
        }
    }

    static String line(ConsumerRecord<byte[], byte[]> record) {
        Base64.Encoder encoder = Base64.getEncoder();
        return "{\"p\":" + record.partition() + ",\"o\":" + record.offset()
            + ",\"k\":\"" + encoder.encodeToString(record.key())
            + "\",\"v\":\"" + encoder.encodeToString(record.value()) + "\"}\n";
    }

    static void produce(String bootstrap, String topic, String compression, String file) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", bootstrap,
            "compression.type", compression,
            "enable.idempotence", true,
            "acks", "all",
            "linger.ms", 5,
            "delivery.timeout.ms", 120_000);
        AtomicInteger acknowledged = new AtomicInteger();
        AtomicReference<Exception> failure = new AtomicReference<>();
        Base64.Decoder decoder = Base64.getDecoder();
        var bytes = new ByteArraySerializer();
        try (var producer = new KafkaProducer<>(settings, bytes, bytes);
                BufferedReader lines = Files.newBufferedReader(Path.of(file))) {
            for (String line; (line = lines.readLine()) != null;) {
                // {"p":0,"k":"...","v":"..."}: base64 needs no escapes.
                int comma = line.indexOf(',');
                int partition = Integer.parseInt(line.substring(line.indexOf(':') + 1, comma).trim());
                String[] quoted = line.substring(comma).split("\"");
                byte[] key = decoder.decode(quoted[3]);
                byte[] value = decoder.decode(quoted[7]);
                producer.send(new ProducerRecord<>(topic, partition, key, value), (metadata, error) -> {
                    if (error != null) {
                        failure.compareAndSet(null, error);
                    } else if (acknowledged.incrementAndGet() % 500 == 0) {
                        System.err.println("acked " + acknowledged.get());
                    }
                });
            }
        }
        if (failure.get() != null) {
            throw failure.get();
        }
        System.err.println("acked " + acknowledged.get());
    }

    static void consume(String bootstrap, String topic, int count) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest");
        var bytes = new ByteArrayDeserializer();
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        int read = 0;
        try (var consumer = new KafkaConsumer<>(settings, bytes, bytes);
                var out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII))) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (read < count && System.nanoTime() < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    out.write(line(record));
                    read++;
                }
            }
        }
        if (read < count) {
            System.err.println("only " + read + " of " + count + " records within 60 s");
            System.exit(1);
        }
    }
}
