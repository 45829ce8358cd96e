import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** The admin commands. */
final class AdminCalls {
    private final Admin admin;

    AdminCalls(String bootstrap) {
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "client.id", "java"));
    }

    Map<String, ClientAgent.Command> commands() {
        Map<String, ClientAgent.Command> all = new HashMap<>();
        all.put("listOffsets", this::listOffsets);
        all.put("createTopic", this::createTopic);
        all.put("listTopics", args -> admin.listTopics().names().get());
        all.put("describeTopic", this::describeTopic);
        all.put("createPartitions", args -> admin.createPartitions(Map.of(
            topic(args), NewPartitions.increaseTo(args.get("total").asInt()))).all().get());
        all.put("deleteTopic", args -> admin.deleteTopics(List.of(topic(args))).all().get());
        all.put("describeConfigs", this::describeConfigs);
        all.put("incrementalAlterConfigs", this::incrementalAlterConfigs);
        all.put("deleteRecords", this::deleteRecords);
        all.put("listGroups", args -> admin.listGroups().all().get().stream()
            .map(one -> one.groupId()).toList());
        all.put("describeGroup", this::describeGroup);
        all.put("deleteGroup", args -> admin.deleteConsumerGroups(List.of(group(args))).all().get());
        all.put("groupOffsets", this::groupOffsets);
        all.put("setGroupOffsets", this::setGroupOffsets);
        all.put("deleteGroupOffsets", this::deleteGroupOffsets);
        all.put("describeCluster", this::describeCluster);
        all.put("describeLogDirs", this::describeLogDirs);
        all.put("describeProducers", this::describeProducers);
        return all;
    }

    private static String topic(JsonNode args) {
        return args.get("topic").asText();
    }

    private static String group(JsonNode args) {
        return args.get("group").asText();
    }

    private static TopicPartition partition(JsonNode args) {
        return new TopicPartition(topic(args), args.get("partition").asInt());
    }

    private static List<Integer> ids(Collection<Node> nodes) {
        return nodes.stream().map(Node::id).toList();
    }

    private Object listOffsets(JsonNode args) throws Exception {
        JsonNode at = args.get("at");
        OffsetSpec spec = switch (at.asText()) {
            case "earliest" -> OffsetSpec.earliest();
            case "latest" -> OffsetSpec.latest();
            case "maxTimestamp" -> OffsetSpec.maxTimestamp();
            default -> OffsetSpec.forTimestamp(at.asLong());
        };
        var found = admin.listOffsets(Map.of(partition(args), spec)).all().get().get(partition(args));
        return Map.of("offset", found.offset(), "timestamp", found.timestamp());
    }

    private Object createTopic(JsonNode args) throws Exception {
        Map<String, String> configs = new HashMap<>();
        args.path("configs").fields().forEachRemaining(
            one -> configs.put(one.getKey(), one.getValue().asText()));
        NewTopic wanted = new NewTopic(topic(args), args.get("partitions").asInt(), (short) -1);
        return admin.createTopics(List.of(wanted.configs(configs))).all().get();
    }

    private Object describeTopic(JsonNode args) throws Exception {
        var found = admin.describeTopics(List.of(topic(args))).allTopicNames().get().get(topic(args));
        return Map.of("partitions", found.partitions().stream().map(one -> Map.of(
            "id", one.partition(),
            "leader", one.leader().id(),
            "replicas", ids(one.replicas()),
            "isr", ids(one.isr()))).toList());
    }

    private Object describeConfigs(JsonNode args) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic(args));
        Map<String, Object> result = new HashMap<>();
        for (ConfigEntry one : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            Map<String, Object> entry = new HashMap<>();
            entry.put("value", one.value());
            entry.put("isDefault", one.source() == ConfigEntry.ConfigSource.DEFAULT_CONFIG);
            result.put(one.name(), entry);
        }
        return result;
    }

    private Object incrementalAlterConfigs(JsonNode args) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic(args));
        List<AlterConfigOp> operations = new ArrayList<>();
        for (JsonNode one : args.get("changes")) {
            ConfigEntry entry = new ConfigEntry(one.get("name").asText(), ClientAgent.text(one, "value"));
            String name = one.get("op").asText().toUpperCase();
            operations.add(new AlterConfigOp(entry, AlterConfigOp.OpType.valueOf(name)));
        }
        return admin.incrementalAlterConfigs(Map.of(resource, operations)).all().get();
    }

    private Object deleteRecords(JsonNode args) throws Exception {
        var before = RecordsToDelete.beforeOffset(args.get("before").asLong());
        var found = admin.deleteRecords(Map.of(partition(args), before)).lowWatermarks();
        return Map.of("low", found.get(partition(args)).get().lowWatermark());
    }

    private Object describeGroup(JsonNode args) throws Exception {
        var found = admin.describeConsumerGroups(List.of(group(args))).all().get().get(group(args));
        return Map.of(
            "state", found.groupState().toString(),
            "protocolType", "consumer",
            "members", found.members().stream().map(one -> Map.of(
                "clientId", one.clientId(),
                "partitions", one.assignment().topicPartitions().stream()
                    .map(TopicPartition::partition).toList())).toList());
    }

    private Set<TopicPartition> partitions(JsonNode args, int count) {
        return IntStream.range(0, count)
            .mapToObj(index -> new TopicPartition(topic(args), index)).collect(Collectors.toSet());
    }

    private Object groupOffsets(JsonNode args) throws Exception {
        var spec = new ListConsumerGroupOffsetsSpec()
            .topicPartitions(partitions(args, args.get("partitions").asInt()));
        Map<String, Long> result = new HashMap<>();
        admin.listConsumerGroupOffsets(Map.of(group(args), spec)).all().get().get(group(args)).forEach(
            (part, one) -> result.put("" + part.partition(), one == null ? -1 : one.offset()));
        return result;
    }

    private Object setGroupOffsets(JsonNode args) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        args.get("offsets").fields().forEachRemaining(one -> offsets.put(
            new TopicPartition(topic(args), Integer.parseInt(one.getKey())),
            new OffsetAndMetadata(one.getValue().asLong())));
        return admin.alterConsumerGroupOffsets(group(args), offsets).all().get();
    }

    private Object deleteGroupOffsets(JsonNode args) throws Exception {
        Set<TopicPartition> which = new HashSet<>();
        args.get("partitions").forEach(one -> which.add(new TopicPartition(topic(args), one.asInt())));
        return admin.deleteConsumerGroupOffsets(group(args), which).all().get();
    }

    private Object describeCluster(JsonNode args) throws Exception {
        var found = admin.describeCluster();
        return Map.of(
            "clusterId", found.clusterId().get(),
            "controller", found.controller().get().id(),
            "brokers", found.nodes().get().stream().map(one -> Map.of(
                "id", one.id(), "host", one.host(), "port", one.port())).toList());
    }

    private Object describeLogDirs(JsonNode args) throws Exception {
        List<Object> result = new ArrayList<>();
        var brokers = ids(admin.describeCluster().nodes().get());
        admin.describeLogDirs(brokers).allDescriptions().get().values().forEach(dirs ->
            dirs.values().forEach(dir -> dir.replicaInfos().forEach((part, info) -> {
                if (!part.topic().equals(topic(args))) return;
                result.add(Map.of("partition", part.partition(), "size", info.size()));
            })));
        return result;
    }

    private Object describeProducers(JsonNode args) throws Exception {
        var found = admin.describeProducers(List.of(partition(args))).all().get().get(partition(args));
        return found.activeProducers().stream().map(one -> Map.of(
            "producerId", one.producerId(),
            "producerEpoch", one.producerEpoch(),
            "lastSequence", one.lastSequence())).toList();
    }
}
