import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalLong;
import java.util.StringJoiner;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/**
 * Kafka's own classes as a second opinion on record batches.
 *
 * Oracle DIR writes batches of every kind to DIR/kafka/NAME.batch, and describes those in the text
 * NAME.txt beside each. Then it describes each DIR/rust/NAME.batch in the same way.
 */
public final class Oracle {
    private static final long NOW = 1_700_000_000_000L;

    /** What goes to a builder besides records. */
    private record Options(
            String name, CompressionType codec, TimestampType times, long producerId, short epoch,
            int sequence, boolean transactional, boolean control, long deleteHorizon) {}

    /** Adds records to a builder. */
    private interface Filling {
        void into(MemoryRecordsBuilder builder);
    }

    public static void main(String[] arguments) throws IOException {
        Path directory = Path.of(arguments[0]);
        Path own = Files.createDirectories(directory.resolve("kafka"));
        for (CompressionType codec : CompressionType.values()) {
            writeAll(own, codec);
        }
        writeLevels(own);
        try (Stream<Path> paths = Files.list(directory.resolve("rust"))) {
            for (Path path : paths.filter(path -> path.toString().endsWith(".batch")).toList()) {
                describe(path);
            }
        }
    }

    private static void writeAll(Path directory, CompressionType codec) throws IOException {
        TimestampType created = TimestampType.CREATE_TIME;
        TimestampType appended = TimestampType.LOG_APPEND_TIME;
        short none = -1;
        short epoch = 7;
        write(directory, new Options("plain", codec, created, -1, none, -1, false, false, -1), Oracle::variety);
        write(directory, new Options("append-time", codec, appended, -1, none, -1, false, false, -1), Oracle::variety);
        write(directory, new Options("idempotent", codec, created, 4_000_000_000L, epoch, Integer.MAX_VALUE - 1, false, false, -1), Oracle::variety);
        write(directory, new Options("transactional", codec, created, 5, epoch, 0, true, false, -1), Oracle::variety);
        write(directory, new Options("horizon", codec, created, -1, none, -1, false, false, NOW + 123), Oracle::variety);
        write(directory, new Options("gaps", codec, created, -1, none, -1, false, false, -1), Oracle::gaps);
        write(directory, new Options("large", codec, created, -1, none, -1, false, false, -1), Oracle::large);
        for (boolean committed : new boolean[] {true, false}) {
            String name = committed ? "commit" : "abort";
            write(directory, new Options(name, codec, created, 9, epoch, -1, true, true, -1), builder -> {
                ControlRecordType type = committed ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
                builder.appendEndTxnMarker(NOW, new EndTransactionMarker(type, 31));
            });
        }
        if (codec == CompressionType.NONE) {
            writeEmpty(directory);
        }
    }

    private static void variety(MemoryRecordsBuilder builder) {
        builder.append(NOW, bytes("key"), bytes("value"));
        builder.append(NOW - 86_400_000L, bytes("earlier"), null);
        builder.append(NOW + 5, (byte[]) null, bytes("no key"));
        builder.append(RecordBatch.NO_TIMESTAMP, (byte[]) null, null);
        Header[] headers = {
            new RecordHeader("name", bytes("of the rose")),
            new RecordHeader("", (byte[]) null),
            new RecordHeader("\u00e4\u20ac", new byte[0]),
        };
        builder.append(NOW + 1, new byte[0], new byte[0], headers);
        for (int index = 0; index < 100; index++) {
            builder.append(NOW + index, bytes("k" + index), bytes("a value, a value, number " + index));
        }
    }

    private static void gaps(MemoryRecordsBuilder builder) {
        builder.appendWithOffset(1003, NOW, bytes("a"), bytes("b"));
        builder.appendWithOffset(1100, NOW, bytes("c"), bytes("d"));
        builder.overrideLastOffset(2000);
    }

    private static void large(MemoryRecordsBuilder builder) {
        int state = 1;
        for (int index = 0; index < 40; index++) {
            byte[] value = new byte[10_000];
            for (int at = 0; at < value.length; at++) {
                state = state * 1_664_525 + 1_013_904_223;
                value[at] = index % 4 == 0 ? (byte) (state >>> 24) : (byte) ('a' + (at / 7 + index) % 13);
            }
            builder.append(NOW, bytes("key"), value);
        }
    }

    private static void write(Path directory, Options options, Filling filling) throws IOException {
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(
            new ByteBufferOutputStream(1024), RecordBatch.MAGIC_VALUE_V2,
            Compression.of(options.codec).build(), options.times, 1000L, NOW + 50, options.producerId,
            options.epoch, options.sequence, options.transactional, options.control, 3,
            Integer.MAX_VALUE, options.deleteHorizon);
        filling.into(builder);
        String name = options.codec.name + "-" + options.name;
        ByteBuffer batch = builder.build().buffer();
        Files.write(directory.resolve(name + ".batch"), array(batch));
        describe(directory.resolve(name + ".batch"));
        MutableRecordBatch stamped = MemoryRecords.readableRecords(copy(batch)).batches().iterator().next();
        stamped.setLastOffset(stamped.lastOffset() + 5000);
        stamped.setPartitionLeaderEpoch(77);
        stamped.setMaxTimestamp(TimestampType.LOG_APPEND_TIME, NOW + 99);
        ByteBuffer out = ByteBuffer.allocate(stamped.sizeInBytes());
        ((DefaultRecordBatch) stamped).writeTo(out);
        Files.write(directory.resolve(name + ".stamped"), out.array());
    }

    private static void writeEmpty(Path directory) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(
            buffer, RecordBatch.MAGIC_VALUE_V2, 6, (short) 2, 40, 1000L, 1009L, 3,
            TimestampType.CREATE_TIME, NOW, true, false);
        Files.write(directory.resolve("none-empty.batch"), buffer.array());
        describe(directory.resolve("none-empty.batch"));
    }

    private static void writeLevels(Path directory) throws IOException {
        StringBuilder text = new StringBuilder();
        for (CompressionType codec : CompressionType.values()) {
            text.append(codec.id).append(' ').append(codec.name);
            if (codec == CompressionType.GZIP || codec == CompressionType.LZ4 || codec == CompressionType.ZSTD) {
                text.append(' ').append(codec.minLevel()).append(' ').append(codec.maxLevel());
                text.append(' ').append(codec.defaultLevel());
            }
            text.append('\n');
        }
        Files.writeString(directory.resolve("levels"), text.toString());
    }

    private static void describe(Path path) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path));
        List<String> lines = new ArrayList<>();
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(bytes).batches()) {
            try {
                batch.ensureValid();
                lines.add(text((DefaultRecordBatch) batch));
                for (Record record : batch) {
                    record.ensureValid();
                    lines.add(text(record));
                }
            } catch (RuntimeException error) {
                lines.add("refused: " + error);
            }
        }
        lines.add("");
        String name = path.getFileName().toString().replace(".batch", ".txt");
        Files.writeString(path.resolveSibling(name), String.join("\n", lines));
    }

    private static String text(DefaultRecordBatch batch) {
        OptionalLong horizon = batch.deleteHorizonMs();
        return new StringJoiner(" ")
            .add("batch")
            .add("bytes=" + batch.sizeInBytes())
            .add("offsets=" + batch.baseOffset() + ".." + batch.lastOffset())
            .add("next=" + batch.nextOffset())
            .add("leader_epoch=" + batch.partitionLeaderEpoch())
            .add("crc=" + batch.checksum())
            .add("codec=" + batch.compressionType().name)
            .add("append_time=" + (batch.timestampType() == TimestampType.LOG_APPEND_TIME))
            .add("base_timestamp=" + batch.baseTimestamp())
            .add("max_timestamp=" + batch.maxTimestamp())
            .add("producer=" + batch.producerId() + "/" + batch.producerEpoch())
            .add("sequences=" + batch.baseSequence() + ".." + batch.lastSequence())
            .add("count=" + batch.countOrNull())
            .add("transactional=" + batch.isTransactional())
            .add("control=" + batch.isControlBatch())
            .add("horizon=" + (horizon.isPresent() ? horizon.getAsLong() : "none"))
            .toString();
    }

    private static String text(Record record) {
        StringJoiner line = new StringJoiner(" ");
        line.add("record").add("offset=" + record.offset()).add("timestamp=" + record.timestamp());
        line.add("key=" + text(record.key())).add("value=" + text(record.value()));
        for (Header header : record.headers()) {
            byte[] value = header.value();
            ByteBuffer key = ByteBuffer.wrap(header.key().getBytes(StandardCharsets.UTF_8));
            line.add(text(key) + ":" + text(value == null ? null : ByteBuffer.wrap(value)));
        }
        return line.toString();
    }

    private static String text(ByteBuffer bytes) {
        if (bytes == null) {
            return "null";
        }
        byte[] array = array(bytes);
        if (array.length <= 64) {
            return "x" + HexFormat.of().formatHex(array);
        }
        CRC32C crc = new CRC32C();
        crc.update(array);
        return array.length + "/" + crc.getValue();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] array(ByteBuffer bytes) {
        byte[] array = new byte[bytes.remaining()];
        bytes.duplicate().get(array);
        return array;
    }

    private static ByteBuffer copy(ByteBuffer bytes) {
        return ByteBuffer.wrap(array(bytes));
    }
}
