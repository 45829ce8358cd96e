import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** Apache Kafka's own client as an agent. See ../agent.ts for the protocol. */
public final class ClientAgent {
    static final ObjectMapper JSON = new ObjectMapper();
    static final String[] FEATURES = {
        "empty", "gzip", "snappy", "lz4", "zstd", "dupHeaders", "nullHeaders", "offsets", "strict",
        "assignors", "static", "maxTimestamp"
    };

    /** Answers one command. */
    interface Command {
        Object run(JsonNode args) throws Exception;
    }

    private static final PrintStream OUT = System.out;
    private static final Map<String, KafkaProducer<byte[], byte[]>> PRODUCERS = new HashMap<>();
    private static final Map<String, GroupMember> MEMBERS = new ConcurrentHashMap<>();
    private static String bootstrap;

    private ClientAgent() {}

    public static void main(String[] args) throws Exception {
        bootstrap = args[args.length - 1];
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
        Map<String, Command> commands = new TreeMap<>(new AdminCalls(bootstrap).commands());
        commands.put("produce", ClientAgent::produce);
        commands.put("consume", ClientAgent::consume);
        commands.put("groupOpen", ClientAgent::groupOpen);
        commands.put("groupState", node -> MEMBERS.get(text(node, "handle")).state());
        commands.put("groupCommit", node -> MEMBERS.get(text(node, "handle")).commit());
        commands.put("groupClose", node -> MEMBERS.remove(text(node, "handle")).close());
        ready(commands);
        ExecutorService threads = Executors.newCachedThreadPool();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode request = JSON.readTree(line);
            threads.submit(() -> answer(request, commands));
        }
        Runtime.getRuntime().halt(0);
    }

    private static void ready(Map<String, Command> commands) {
        ObjectNode ready = JSON.createObjectNode();
        ArrayNode can = ready.putObject("ready")
            .put("client", "java")
            .put("version", AppInfoParser.getVersion())
            .putArray("can");
        commands.keySet().forEach(can::add);
        for (String feature : FEATURES) can.add(feature);
        send(ready);
    }

    private static void answer(JsonNode request, Map<String, Command> commands) {
        ObjectNode message = JSON.createObjectNode();
        message.set("id", request.get("id"));
        try {
            Object result = commands.get(text(request, "cmd")).run(request.get("args"));
            message.set("ok", JSON.valueToTree(result));
        } catch (Throwable error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            // A time-out is the client's own verdict here, no answer of the broker.
            int code = cause instanceof TimeoutException ? 0 : Errors.forException(cause).code();
            ObjectNode failure = message.putObject("error");
            if (code > 0) failure.put("code", code);
            failure.put("name", cause.getClass().getSimpleName());
            failure.put("message", String.valueOf(cause.getMessage()));
            if (code <= 0) cause.printStackTrace();
        }
        send(message);
    }

    private static void send(JsonNode message) {
        synchronized (OUT) {
            OUT.println(message);
            OUT.flush();
        }
    }

    static String text(JsonNode node, String name) {
        JsonNode value = node.get(name);
        return value == null || value.isNull() ? null : value.asText();
    }

    static byte[] bytes(JsonNode value) {
        return value.isNull() ? null : Base64.getDecoder().decode(value.asText());
    }

    static Properties properties(String... pairs) {
        Properties result = new Properties();
        result.put("bootstrap.servers", bootstrap);
        result.put("client.id", "java");
        result.put("key.serializer", ByteArraySerializer.class.getName());
        result.put("value.serializer", ByteArraySerializer.class.getName());
        result.put("key.deserializer", ByteArrayDeserializer.class.getName());
        result.put("value.deserializer", ByteArrayDeserializer.class.getName());
        for (int index = 0; index < pairs.length; index += 2) {
            result.put(pairs[index], pairs[index + 1]);
        }
        return result;
    }

    /** One producer for each set of settings; without any it has the client's defaults. */
    private static KafkaProducer<byte[], byte[]> producer(JsonNode args) {
        Map<String, String> settings = new TreeMap<>();
        if (text(args, "compression") != null) {
            settings.put("compression.type", text(args, "compression"));
            settings.put("linger.ms", "50");
        }
        if (text(args, "acks") != null) settings.put("acks", text(args, "acks"));
        if (text(args, "timeoutMs") != null) {
            settings.put("max.block.ms", text(args, "timeoutMs"));
            settings.put("max.request.size", "10000000");
        }
        synchronized (PRODUCERS) {
            return PRODUCERS.computeIfAbsent(settings.toString(), key -> {
                Properties all = properties();
                all.putAll(settings);
                return new KafkaProducer<>(all);
            });
        }
    }

    private static Object produce(JsonNode args) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(args);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode one : args.get("records")) {
            Integer partition = one.get("p").isNull() ? null : one.get("p").asInt();
            Long timestamp = one.get("t").isNull() ? null : one.get("t").asLong();
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(
                text(args, "topic"), partition, timestamp, bytes(one.get("k")), bytes(one.get("v")));
            for (JsonNode header : one.get("h")) {
                record.headers().add(header.get(0).asText(), bytes(header.get(1)));
            }
            sent.add(producer.send(record));
        }
        List<Object> offsets = new ArrayList<>();
        for (Future<RecordMetadata> one : sent) {
            RecordMetadata metadata = one.get();
            offsets.add(List.of(metadata.partition(), metadata.hasOffset() ? metadata.offset() : -1));
        }
        Map<String, Object> result = new HashMap<>();
        result.put("offsets", "0".equals(text(args, "acks")) ? null : offsets);
        return result;
    }

    static Map<String, Object> received(ConsumerRecord<byte[], byte[]> record) {
        List<List<String>> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            List<String> pair = new ArrayList<>();
            pair.add(header.key());
            pair.add(base64(header.value()));
            headers.add(pair);
        }
        Map<String, Object> result = new HashMap<>();
        result.put("p", record.partition());
        result.put("o", record.offset());
        result.put("t", record.timestamp());
        result.put("k", base64(record.key()));
        result.put("v", base64(record.value()));
        result.put("h", headers);
        return result;
    }

    private static String base64(byte[] value) {
        return value == null ? null : Base64.getEncoder().encodeToString(value);
    }

    private static Object consume(JsonNode args) {
        boolean strict = args.path("strict").asBoolean(false);
        Properties settings = properties(
            "enable.auto.commit", "false", "auto.offset.reset", strict ? "none" : "earliest");
        List<TopicPartition> partitions = new ArrayList<>();
        for (int index = 0; index < args.get("partitions").asInt(); index++) {
            if (args.has("only") && args.get("only").asInt() != index) continue;
            partitions.add(new TopicPartition(text(args, "topic"), index));
        }
        List<Object> records = new ArrayList<>();
        long end = System.currentTimeMillis() + args.get("waitMs").asLong();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            consumer.assign(partitions);
            seek(consumer, partitions, args.get("from"));
            while (records.size() < args.get("count").asInt() && System.currentTimeMillis() < end) {
                consumer.poll(Duration.ofMillis(100)).forEach(one -> records.add(received(one)));
            }
        }
        return records;
    }

    private static void seek(
            KafkaConsumer<byte[], byte[]> consumer, List<TopicPartition> partitions, JsonNode from) {
        if (from.isTextual()) {
            consumer.seekToBeginning(partitions);
        } else if (from.has("offset")) {
            partitions.forEach(one -> consumer.seek(one, from.get("offset").asLong()));
        } else {
            Map<TopicPartition, Long> asked = new HashMap<>();
            partitions.forEach(one -> asked.put(one, from.get("timestamp").asLong()));
            Map<TopicPartition, OffsetAndTimestamp> found = consumer.offsetsForTimes(asked);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            partitions.forEach(one -> consumer.seek(
                one, found.get(one) == null ? ends.get(one) : found.get(one).offset()));
        }
    }

    private static Object groupOpen(JsonNode args) {
        Properties settings = properties(
            "group.id", text(args, "group"), "enable.auto.commit", "false",
            "auto.offset.reset", "earliest");
        if ("consumer".equals(text(args, "protocol"))) {
            settings.put("group.protocol", "consumer");
        } else {
            settings.put("session.timeout.ms", "10000");
            settings.put("heartbeat.interval.ms", "500");
        }
        Map<String, String> assignors = Map.of(
            "range", "org.apache.kafka.clients.consumer.RangeAssignor",
            "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
            "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        if (text(args, "assignor") != null) {
            settings.put("partition.assignment.strategy", assignors.get(text(args, "assignor")));
        }
        if (text(args, "instanceId") != null) {
            settings.put("group.instance.id", text(args, "instanceId"));
        }
        MEMBERS.put(text(args, "handle"), new GroupMember(text(args, "topic"), settings));
        return null;
    }
}
