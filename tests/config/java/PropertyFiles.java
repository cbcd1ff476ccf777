import java.io.StringReader;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;

/**
 * Prints random texts and the properties that Java reads from them, one text per line: the text,
 * then names and values, tab-separated and escaped, or "malformed".
 */
public final class PropertyFiles {
    private static final String[] PIECES = {
        "a", "b", "=", ":", " ", "\t", "\f", "\\", "\\", "\n", "\n", "\r", "\r\n", "#", "!",
        "\\u0041", "\\u00e9", "\\u12", "\\ud83d\\ude00", "\\n", "\\t", "\\:", "\\ ", "\u00e9", "key=value", "u0041"};

    public static void main(String[] args) throws Exception {
        Random random = new Random(431);
        for (int i = 0; i < 600; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(16); n >= 0; n--) text.append(PIECES[random.nextInt(PIECES.length)]);
            // What a lone escape at the very end means depends on how the line ends.
            if (text.toString().matches("(?s).*\\\\[\r\n]*")) continue;
            System.out.println(escaped(text.toString()) + "\t" + read(text.toString()));
        }
    }

    private static String read(String text) throws Exception {
        Properties properties = new Properties();
        try {
            properties.load(new StringReader(text));
        } catch (IllegalArgumentException malformed) {
            return "malformed";
        }
        StringBuilder line = new StringBuilder();
        for (Map.Entry<Object, Object> entry : new TreeMap<>(properties).entrySet()) {
            line.append(line.length() == 0 ? "" : "\t").append(escaped((String) entry.getKey()));
            line.append("\t").append(escaped((String) entry.getValue()));
        }
        return line.toString();
    }

    private static String escaped(String text) {
        StringBuilder escaped = new StringBuilder();
        for (char c : text.toCharArray()) {
            if (c > ' ' && c < 127 && c != '\\') escaped.append(c);
            else escaped.append(String.format("\\u%04x", (int) c));
        }
        return escaped.toString();
    }
}
