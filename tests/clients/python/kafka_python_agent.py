"""kafka-python as an agent."""

import threading
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.structs import OffsetAndMetadata

from agent_loop import BOOTSTRAP, Member, serve, to_bytes, to_text

SHARED = {"bootstrap_servers": BOOTSTRAP, "client_id": "kafka-python"}
ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}
SPECS = {"earliest": -2, "latest": -1, "maxTimestamp": -3}


class Serial:
    """The admin client, one call at a time: it refuses more than a few in flight."""

    def __init__(self, client):
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*args, **kwargs):
            with self._lock:
                return method(*args, **kwargs)

        return call


admin = Serial(KafkaAdminClient(**SHARED))
producers = {}
producers_lock = threading.Lock()
members = {}


def producer_for(**settings):
    key = str(settings)
    with producers_lock:
        if key not in producers:
            producers[key] = KafkaProducer(**SHARED, max_request_size=10000000, **settings)
        return producers[key]


def produce(topic, records, compression=None, acks=None, timeoutMs=None):
    settings = {}
    if compression not in (None, "none"):
        settings.update(compression_type=compression, linger_ms=50)
    if acks is not None:
        settings.update(acks=acks, enable_idempotence=False)
    if timeoutMs is not None:
        settings.update(max_block_ms=timeoutMs, retries=0, enable_idempotence=False)
    producer = producer_for(**settings)
    futures = [
        producer.send(
            topic,
            value=to_bytes(one["v"]),
            key=to_bytes(one["k"]),
            headers=[(name, to_bytes(value)) for name, value in one["h"]],
            partition=one["p"],
            timestamp_ms=one["t"],
        )
        for one in records
    ]
    producer.flush(30)
    results = [future.get(30) for future in futures]
    return {"offsets": [[one.partition, one.offset] for one in results]}


def received(one):
    return {
        "p": one.partition,
        "o": one.offset,
        "t": one.timestamp,
        "k": to_text(one.key),
        "v": to_text(one.value),
        "h": [[name, to_text(value)] for name, value in one.headers or []],
    }


def consume(topic, partitions, **args):
    start, strict = args["from"], args.get("strict", False)
    consumer = KafkaConsumer(
        **SHARED,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none" if strict else "earliest",
    )
    try:
        parts = [TopicPartition(topic, index) for index in range(partitions)]
        consumer.assign(parts)
        if start == "earliest":
            consumer.seek_to_beginning(*parts)
        elif "offset" in start:
            for part in parts:
                consumer.seek(part, start["offset"])
        else:
            found = consumer.offsets_for_times({part: start["timestamp"] for part in parts})
            ends = consumer.end_offsets(parts)
            for part in parts:
                consumer.seek(part, found[part].offset if found[part] else ends[part])
        records = []
        end = time.monotonic() + args["waitMs"] / 1000
        while len(records) < args["count"] and time.monotonic() < end:
            for batch in consumer.poll(100).values():
                records.extend(received(one) for one in batch)
        return records
    finally:
        consumer.close()


def listOffsets(topic, partition, at):
    part = TopicPartition(topic, partition)
    found = admin.list_partition_offsets({part: SPECS.get(at, at)})[part]
    return {"offset": found.offset, "timestamp": found.timestamp}


def groupOpen(handle, group, topic, assignor=None, instanceId=None, protocol=None):
    settings = {}
    if assignor is not None:
        settings["partition_assignment_strategy"] = [ASSIGNORS[assignor]]
    if instanceId is not None:
        settings["group_instance_id"] = instanceId
    consumer = KafkaConsumer(
        **SHARED,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10000,
        heartbeat_interval_ms=500,
        **settings,
    )

    def poll(member):
        for batch in consumer.poll(100).values():
            member.take([received(one) for one in batch])
        member.assignment = [part.partition for part in consumer.assignment()]

    member = Member(topic, consumer, poll, lambda one: consumer.close(autocommit=False))
    members[handle] = member
    consumer.subscribe([topic])
    member.start()


def groupState(handle):
    return members[handle].state()


def groupCommit(handle):
    member = members[handle]
    offsets = {
        TopicPartition(member.topic, index): OffsetAndMetadata(offset, "", -1)
        for index, offset in member.positions.items()
    }
    member.on_thread(lambda: member.consumer.commit(offsets))


def groupClose(handle):
    members.pop(handle).close()


def checked(results):
    """Results that name their errors as classes."""
    for error in results.values():
        if error is not kafka_errors.NoError:
            raise error()


def createTopic(topic, partitions, configs=None):
    admin.create_topics({topic: {"num_partitions": partitions, "configs": configs or {}}})


def listTopics():
    return admin.list_topics()


def describeTopic(topic):
    found = admin.describe_topics([topic])[0]
    if found.get("error_code"):
        raise kafka_errors.for_code(found["error_code"])()
    partitions = [
        {
            "id": one["partition_index"],
            "leader": one["leader_id"],
            "replicas": one["replica_nodes"],
            "isr": one["isr_nodes"],
        }
        for one in found["partitions"]
    ]
    return {"partitions": partitions}


def createPartitions(topic, total):
    admin.create_partitions({topic: total})


def deleteTopic(topic):
    admin.delete_topics([topic])


def describeConfigs(topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    found = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    return {
        name: {"value": one["value"], "isDefault": "DEFAULT_CONFIG" in str(one["config_source"])}
        for name, one in found.items()
    }


def incrementalAlterConfigs(topic, changes):
    configs = {one["name"]: (one["op"].upper(), one["value"]) for one in changes}
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
    admin.alter_configs([resource], raise_on_unknown=False)


def deleteRecords(topic, partition, before):
    part = TopicPartition(topic, partition)
    return {"low": admin.delete_records({part: before})[part]["low_watermark"]}


def listGroups():
    return [one["group_id"] for one in admin.list_groups()]


def describeGroup(group):
    found = admin.describe_groups([group])[group]
    members = [
        {
            "clientId": one["client_id"],
            "partitions": [
                index
                for topic in (one["member_assignment"] or {}).get("assigned_partitions", [])
                for index in topic["partitions"]
            ],
        }
        for one in found["members"]
    ]
    state = found["group_state"]
    return {"state": state, "protocolType": found["protocol_type"], "members": members}


def deleteGroup(group):
    result = admin.delete_groups([group])[group]
    if result != "OK":
        raise getattr(kafka_errors, result)()


def groupOffsets(group, topic, partitions):
    asked = [TopicPartition(topic, index) for index in range(partitions)]
    found = admin.list_group_offsets({group: asked})[group]
    return {str(part.partition): one.offset for part, one in found.items()}


def setGroupOffsets(group, topic, offsets):
    wanted = {
        TopicPartition(topic, int(index)): OffsetAndMetadata(offset, "", None)
        for index, offset in offsets.items()
    }
    checked(admin.alter_group_offsets(group, wanted))


def deleteGroupOffsets(group, topic, partitions):
    checked(admin.delete_group_offsets(group, [TopicPartition(topic, one) for one in partitions]))


def describeCluster():
    found = admin.describe_cluster()
    return {
        "clusterId": found["cluster_id"],
        "controller": found["controller_id"],
        "brokers": [
            {
                "id": one.get("broker_id", one.get("node_id")),
                "host": one["host"],
                "port": one["port"],
            }
            for one in found["brokers"]
        ],
    }


def describeLogDirs(topic):
    return [
        {"partition": one["partition_index"], "size": one["partition_size"]}
        for broker in admin.describe_log_dirs([topic])
        for log_dir in broker["log_dirs"]
        for named in log_dir["topics"]
        for one in named["partitions"]
    ]


def describeProducers(topic, partition):
    part = TopicPartition(topic, partition)
    return [
        {
            "producerId": one.producer_id,
            "producerEpoch": one.producer_epoch,
            "lastSequence": one.last_sequence,
        }
        for one in admin.describe_producers([part])[part].active_producers
    ]


COMMANDS = [
    produce,
    consume,
    listOffsets,
    groupOpen,
    groupState,
    groupCommit,
    groupClose,
    createTopic,
    listTopics,
    describeTopic,
    createPartitions,
    deleteTopic,
    describeConfigs,
    incrementalAlterConfigs,
    deleteRecords,
    listGroups,
    describeGroup,
    deleteGroup,
    groupOffsets,
    setGroupOffsets,
    deleteGroupOffsets,
    describeCluster,
    describeLogDirs,
    describeProducers,
]
FEATURES = "empty gzip snappy lz4 zstd dupHeaders offsets strict assignors static maxTimestamp".split()


def describe_error(error):
    code = getattr(error, "errno", None)
    return (code if isinstance(code, int) and code > 0 else None), type(error).__name__


serve(
    "kafka-python",
    kafka.__version__,
    {one.__name__: one for one in COMMANDS},
    FEATURES,
    describe_error,
)
