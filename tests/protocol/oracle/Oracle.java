import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.NullableSchema;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Kafka's own message classes as a judge of ours.
 *
 * <pre>
 *   make SEED SAMPLES NAMES OUT   random frames of each message in each version, and each of them
 *                                 in every other version
 *   check IN                      decodes frames, encodes them again, reports what differs
 *   errors                        the table of error codes
 * </pre>
 *
 * A file of frames is a sequence of entries: a letter, a name, a version, a length, bytes.
 * V: a version of the message that Kafka knows. F: a frame. T: the frame before in another
 * version; length -1 when Kafka refuses because a field cannot be left out, -2 because one cannot
 * be null.
 */
public final class Oracle {
    private static final int REFUSED_FIELD = -1;
    private static final int REFUSED_NULL = -2;

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "make" -> make(Long.parseLong(args[1]), Integer.parseInt(args[2]), args[3], args[4]);
            case "check" -> check(args[1]);
            case "errors" -> errors();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    // ---- finding classes

    private static final String[] PLACES = {
        "org.apache.kafka.common.message.%sData",
        "org.apache.kafka.common.message.%s",
        "org.apache.kafka.coordinator.group.generated.%s",
        "org.apache.kafka.coordinator.transaction.generated.%s",
    };
    private static final Map<String, Class<?>> CLASSES = new HashMap<>();

    private static Class<?> classOf(String name) {
        return CLASSES.computeIfAbsent(name, unused -> {
            for (String place : PLACES) {
                try {
                    return Class.forName(String.format(place, name));
                } catch (ClassNotFoundException e) {
                    continue;
                }
            }
            return null;
        });
    }

    private static Message instance(String name) throws ReflectiveOperationException {
        return (Message) classOf(name).getDeclaredConstructor().newInstance();
    }

    /** The newest version that is not marked unstable. */
    private static short newest(String name, Message message) {
        for (ApiMessageType api : ApiMessageType.values()) {
            if (name.equals(api.name + "Request") || name.equals(api.name + "Response")) {
                return api.highestSupportedVersion(false);
            }
        }
        return message.highestSupportedVersion();
    }

    // ---- commands

    private static void make(long seed, int samples, String names, String out) throws Exception {
        try (DataOutputStream file = output(out)) {
            for (String name : Files.readAllLines(Path.of(names))) {
                if (classOf(name) == null) {
                    continue;
                }
                short first = instance(name).lowestSupportedVersion();
                short last = newest(name, instance(name));
                Schema[] schemas = (Schema[]) classOf(name).getField("SCHEMAS").get(null);
                for (short version = first; version <= last; version++) {
                    entry(file, 'V', name, version, 0, new byte[0]);
                }
                // A seed of its own, so that one more message does not change all others.
                Random random = new Random(seed ^ name.hashCode());
                for (short version = first; version <= last; version++) {
                    for (int sample = 0; sample < samples; sample++) {
                        byte[] made = new Maker(random, sample).frame(schemas[version]);
                        byte[] frame = encode(decode(name, made, version), version);
                        entry(file, 'F', name, version, frame.length, frame);
                        for (short other = first; other <= last; other++) {
                            transcode(file, name, frame, version, other);
                        }
                    }
                }
            }
        }
    }

    private static void transcode(DataOutputStream file, String name, byte[] frame, short from, short to)
            throws Exception {
        Message message = decode(name, frame, from);
        byte[] other = new byte[0];
        int length;
        try {
            other = encode(message, to);
            length = other.length;
        } catch (UnsupportedVersionException e) {
            length = REFUSED_FIELD;
        } catch (NullPointerException e) {
            length = REFUSED_NULL;
        }
        entry(file, 'T', name, to, length, other);
    }

    private static void check(String in) throws Exception {
        int count = 0;
        int different = 0;
        try (DataInputStream file = new DataInputStream(new BufferedInputStream(Files.newInputStream(Path.of(in))))) {
            while (file.read() == 'F') {
                String name = file.readUTF();
                short version = file.readShort();
                byte[] frame = new byte[file.readInt()];
                file.readFully(frame);
                count++;
                String problem = null;
                try {
                    byte[] again = encode(decode(name, frame, version), version);
                    if (!Arrays.equals(frame, again)) {
                        problem = "encoded again it is " + hex(again);
                    }
                } catch (RuntimeException e) {
                    problem = e.toString();
                }
                if (problem != null && different++ < 20) {
                    System.out.println(name + " v" + version + ": " + hex(frame) + ": " + problem);
                }
            }
        }
        System.out.println("checked " + count + " different " + different);
    }

    private static void errors() {
        for (Errors error : Errors.values()) {
            boolean again = error.exception() instanceof RetriableException;
            System.out.println(error.code() + "\t" + error.name() + "\t" + again);
        }
    }

    // ---- frames

    private static Message decode(String name, byte[] frame, short version) throws Exception {
        Message message = instance(name);
        ByteBuffer buffer = ByteBuffer.wrap(frame);
        message.read(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) {
            throw new IllegalStateException(buffer.remaining() + " bytes follow");
        }
        return message;
    }

    private static byte[] encode(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    private static DataOutputStream output(String path) throws IOException {
        return new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(Path.of(path)), 1 << 20));
    }

    private static void entry(DataOutputStream file, char kind, String name, int version, int length, byte[] bytes)
            throws IOException {
        file.writeByte(kind);
        file.writeUTF(name);
        file.writeShort(version);
        file.writeInt(length);
        file.write(bytes);
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte one : bytes) {
            text.append(String.format("%02x", one));
        }
        return text.toString();
    }

    /** Makes bytes that follow a schema. Sample 0 is as empty, sample 1 as full as possible. */
    private static final class Maker {
        private final Random random;
        private final boolean empty;
        private final boolean full;
        private ByteBuffer out = ByteBuffer.allocate(1 << 22);
        private boolean tagged = false;
        /** What arrays may still add, so that nested ones do not explode. */
        private int budget = 3000;

        Maker(Random random, int sample) {
            this.random = random;
            this.empty = sample == 0;
            this.full = sample == 1;
        }

        byte[] frame(Schema schema) {
            write(schema);
            return Arrays.copyOf(out.array(), out.position());
        }

        private boolean chance(int percent) {
            return random.nextInt(100) < percent;
        }

        private boolean isNull(boolean nullable) {
            return nullable && !full && (empty || chance(30));
        }

        private void write(Type type) {
            if (type instanceof NullableSchema schema) {
                boolean none = isNull(true);
                // Kafka's classes say null in another way in a tagged field.
                out.put((byte) (!none ? 1 : tagged ? 0 : -1));
                if (!none) {
                    struct(schema);
                }
            } else if (type instanceof Schema schema) {
                struct(schema);
            } else if (type instanceof TaggedFields fields) {
                tagged(fields);
            } else if (type.isArray()) {
                array(type);
            } else {
                primitive(type);
            }
        }

        private void struct(Schema schema) {
            tagged = false;
            for (BoundField field : schema.fields()) {
                write(field.def.type);
            }
        }

        private void tagged(TaggedFields fields) {
            Map<Integer, Field> chosen = new TreeMap<>();
            fields.fields().forEach((tag, field) -> {
                if (full || (!empty && chance(50))) {
                    chosen.put(tag, field);
                }
            });
            new ByteBufferAccessor(out).writeUnsignedVarint(chosen.size());
            chosen.forEach((tag, field) -> {
                ByteBuffer outer = out;
                out = ByteBuffer.allocate(1 << 20);
                tagged = true;
                write(field.type);
                tagged = false;
                out.flip();
                new ByteBufferAccessor(outer).writeUnsignedVarint(tag);
                new ByteBufferAccessor(outer).writeUnsignedVarint(out.remaining());
                outer.put(out);
                out = outer;
            });
        }

        private void array(Type type) {
            boolean compact = type instanceof CompactArrayOf;
            int count = isNull(type.isNullable()) ? -1 : count();
            if (compact) {
                new ByteBufferAccessor(out).writeUnsignedVarint(count + 1);
            } else {
                out.putInt(count);
            }
            for (int i = 0; i < count; i++) {
                budget -= 10;
                write(type.arrayElementType().get());
            }
        }

        private int count() {
            if (empty) {
                return 0;
            }
            if (budget < 0) {
                return full ? 1 : 0;
            }
            // Counts on both sides of where a length takes a second byte.
            return chance(4) ? 125 + random.nextInt(6) : (full ? 1 : 0) + random.nextInt(3);
        }

        private void primitive(Type type) {
            switch (type.toString()) {
                case "BOOLEAN" -> out.put((byte) (integer() & 1));
                case "INT8" -> out.put((byte) integer());
                case "INT16", "UINT16" -> out.putShort((short) integer());
                case "INT32", "UINT32" -> out.putInt((int) integer());
                case "INT64" -> out.putLong(integer());
                case "FLOAT64" -> out.putDouble(number());
                case "UUID" -> {
                    Uuid id = empty || chance(20) ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
                    out.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
                }
                case "STRING", "NULLABLE_STRING" -> {
                    byte[] text = isNull(type.isNullable()) ? null : text();
                    out.putShort((short) (text == null ? -1 : text.length));
                    bytes(text);
                }
                case "COMPACT_STRING", "COMPACT_NULLABLE_STRING" -> compact(isNull(type.isNullable()) ? null : text());
                case "BYTES", "NULLABLE_BYTES", "RECORDS", "NULLABLE_RECORDS" -> {
                    byte[] some = isNull(type.isNullable()) ? null : some();
                    out.putInt(some == null ? -1 : some.length);
                    bytes(some);
                }
                case "COMPACT_BYTES", "COMPACT_NULLABLE_BYTES", "COMPACT_RECORDS", "COMPACT_NULLABLE_RECORDS" ->
                    compact(isNull(type.isNullable()) ? null : some());
                default -> throw new IllegalStateException("type " + type);
            }
        }

        private void compact(byte[] bytes) {
            new ByteBufferAccessor(out).writeUnsignedVarint(bytes == null ? 0 : bytes.length + 1);
            bytes(bytes);
        }

        private void bytes(byte[] bytes) {
            if (bytes != null) {
                budget -= bytes.length;
                out.put(bytes);
            }
        }

        private static final long[] EXTREMES = {
            0, 1, -1, 127, 128, -128, 255, 32767, -32768, 65535, Integer.MAX_VALUE, Integer.MIN_VALUE,
            Long.MAX_VALUE, Long.MIN_VALUE,
        };

        private long integer() {
            if (empty) {
                return 0;
            }
            return chance(50) ? EXTREMES[random.nextInt(EXTREMES.length)] : random.nextLong();
        }

        private static final double[] NUMBERS = {
            0.0, -0.0, 1.5, Double.MAX_VALUE, Double.MIN_VALUE, Double.POSITIVE_INFINITY, Double.NaN,
        };

        private double number() {
            return empty ? 0 : NUMBERS[random.nextInt(NUMBERS.length)];
        }

        private static final String[] LETTERS = {"a", "Z", "-", " ", "\u0000", "\u00e4", "\u6f22", "\ud83d\ude00"};

        private byte[] text() {
            if (empty) {
                return new byte[0];
            }
            int length = chance(5) ? 120 + random.nextInt(200) : random.nextInt(12);
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < length; i++) {
                text.append(LETTERS[random.nextInt(LETTERS.length)]);
            }
            return text.toString().getBytes(StandardCharsets.UTF_8);
        }

        private byte[] some() {
            byte[] some = new byte[empty ? 0 : chance(5) ? 126 + random.nextInt(5) : random.nextInt(20)];
            random.nextBytes(some);
            return some;
        }
    }
}
