import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.requests.ProduceRequest;

/**
 * Answers questions about Kafka's wire formats with kafka-clients' own classes: one JSON object a
 * line on stdin, one JSON value a line on stdout, in order. See oracle.ts for the questions.
 */
public class Oracle {
    static final ObjectMapper JSON = new ObjectMapper();
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) throws Exception {
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode failure = JSON.createObjectNode();
            JsonNode answer;
            try {
                answer = answer(JSON.readTree(line));
            } catch (Throwable e) {
                Throwable cause = e instanceof ReflectiveOperationException && e.getCause() != null
                    ? e.getCause() : e;
                answer = failure.put("failure", cause.toString());
            }
            out.println(JSON.writeValueAsString(answer));
        }
        out.flush();
    }

    static JsonNode answer(JsonNode question) throws Exception {
        switch (question.get("ask").asText()) {
            case "message": return message(question);
            case "apis": return apis();
            case "errors": return errors();
            case "build": return build(question);
            case "records": return records(question);
            case "validate": return validate(question);
            default: throw new IllegalArgumentException("unknown question");
        }
    }

    /** The bytes of a message that is given in Kafka's own JSON form. */
    static JsonNode message(JsonNode question) throws Exception {
        String name = "org.apache.kafka.common.message." + question.get("name").asText() + "Data";
        short version = (short) question.get("version").asInt();
        Message message = (Message) Class.forName(name + "JsonConverter")
            .getMethod("read", JsonNode.class, short.class)
            .invoke(null, question.get("json"), version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return JSON.getNodeFactory().textNode(HEX.formatHex(buffer.array()));
    }

    static JsonNode apis() {
        ArrayNode list = JSON.createArrayNode();
        for (ApiKeys api : ApiKeys.values()) {
            ObjectNode row = list.addObject();
            row.put("key", api.id).put("name", api.name);
            row.put("minVersion", api.oldestVersion()).put("maxVersion", api.latestVersion(false));
            int flexible = -1;
            for (short v = api.latestVersion(false); v >= api.oldestVersion(); v--) {
                if (api.requestHeaderVersion(v) >= 2) flexible = v;
            }
            row.put("flexibleFrom", flexible);
            ArrayNode headers = row.putArray("responseHeaders");
            for (short v = api.oldestVersion(); v <= api.latestVersion(false); v++) {
                headers.add(api.responseHeaderVersion(v));
            }
        }
        return list;
    }

    static JsonNode errors() {
        ArrayNode list = JSON.createArrayNode();
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            list.addObject().put("code", error.code()).put("name", error.name())
                .put("retriable", retriable);
        }
        return list;
    }

    /** A batch of the given records, as a producer with this codec writes it. */
    static JsonNode build(JsonNode question) throws Exception {
        CompressionType type = CompressionType.forName(question.get("codec").asText());
        long baseTimestamp = question.get("records").get(0).get("timestampMs").asLong();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
        MemoryRecordsBuilder builder = MemoryRecords.builder(
            buffer, (byte) 2, Compression.of(type).build(), TimestampType.CREATE_TIME,
            question.get("baseOffset").asLong(), baseTimestamp,
            question.get("producerId").asLong(), (short) question.get("producerEpoch").asInt(),
            question.get("baseSequence").asInt(), false, -1);
        for (JsonNode record : question.get("records")) {
            ArrayNode given = (ArrayNode) record.get("headers");
            Header[] headers = new Header[given.size()];
            for (int i = 0; i < headers.length; i++) {
                byte[] value = bytes(given.get(i).get("value"));
                headers[i] = new RecordHeader(given.get(i).get("key").asText(), value);
            }
            builder.append(record.get("timestampMs").asLong(), bytes(record.get("key")),
                bytes(record.get("value")), headers);
        }
        ByteBuffer built = builder.build().buffer();
        byte[] result = new byte[built.remaining()];
        built.get(result);
        return JSON.getNodeFactory().textNode(HEX.formatHex(result));
    }

    /** What Kafka reads out of batches, their validity checked. */
    static JsonNode records(JsonNode question) {
        ArrayNode list = JSON.createArrayNode();
        byte[] bytes = HEX.parseHex(question.get("hex").asText());
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
            batch.ensureValid();
            for (Record record : batch) {
                ObjectNode row = list.addObject();
                row.put("offset", record.offset()).put("timestampMs", record.timestamp());
                row.put("key", hex(record.key())).put("value", hex(record.value()));
                ArrayNode headers = row.putArray("headers");
                for (Header header : record.headers()) {
                    byte[] value = header.value();
                    headers.addObject().put("key", header.key())
                        .put("value", value == null ? null : HEX.formatHex(value));
                }
            }
        }
        return list;
    }

    /** The error of Kafka's first look at a partition's records; the log checks more. */
    static JsonNode validate(JsonNode question) {
        byte[] bytes = HEX.parseHex(question.get("hex").asText());
        MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
        Errors error = Errors.NONE;
        try {
            ProduceRequest.validateRecords((short) question.get("version").asInt(), records);
            for (MutableRecordBatch batch : records.batches()) batch.ensureValid();
        } catch (RuntimeException e) {
            error = Errors.forException(e);
        }
        return JSON.getNodeFactory().textNode(error.name());
    }

    static byte[] bytes(JsonNode hex) {
        return hex.isNull() ? null : HEX.parseHex(hex.asText());
    }

    static String hex(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HEX.formatHex(bytes);
    }
}
