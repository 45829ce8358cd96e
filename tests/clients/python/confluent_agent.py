"""confluent-kafka-python (librdkafka) as an agent."""

import threading
import time

import confluent_kafka as ck
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from agent_loop import BOOTSTRAP, Member, serve, to_bytes, to_text

SHARED = {
    "bootstrap.servers": BOOTSTRAP,
    "client.id": "confluent-python",
    # The default of 30 s only delays the answer that a topic is unknown.
    "topic.metadata.propagation.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 1000,
}
admin = AdminClient(SHARED)
producers = {}
producers_lock = threading.Lock()
members = {}
OFFSETS = {"earliest": OffsetSpec.earliest, "latest": OffsetSpec.latest}
OFFSETS["maxTimestamp"] = OffsetSpec.max_timestamp


def producer_for(**settings):
    key = str(settings)
    with producers_lock:
        if key not in producers:
            producers[key] = Producer({**SHARED, **settings})
        return producers[key]


def produce(topic, records, compression=None, acks=None, timeoutMs=None):
    settings = {}
    if compression is not None:
        settings.update({"compression.type": compression, "linger.ms": 50})
    if acks is not None:
        settings["acks"] = acks
    if timeoutMs is not None:
        settings.update({"message.timeout.ms": timeoutMs, "message.max.bytes": 10000000})
    producer = producer_for(**settings)
    results = [None] * len(records)

    def report(index):
        def callback(error, message):
            results[index] = error or [message.partition(), message.offset()]

        return callback

    for index, one in enumerate(records):
        producer.produce(
            topic,
            value=to_bytes(one["v"]),
            key=to_bytes(one["k"]),
            headers=[(name, to_bytes(value)) for name, value in one["h"]],
            on_delivery=report(index),
            **({} if one["p"] is None else {"partition": one["p"]}),
            **({} if one["t"] is None else {"timestamp": one["t"]}),
        )
        producer.poll(0)
    while any(one is None for one in results):
        producer.poll(0.05)
    for one in results:
        if isinstance(one, ck.KafkaError):
            raise KafkaException(one)
    return {"offsets": results}


def received(message):
    return {
        "p": message.partition(),
        "o": message.offset(),
        "t": message.timestamp()[1],
        "k": to_text(message.key()),
        "v": to_text(message.value()),
        "h": [[name, to_text(value)] for name, value in message.headers() or []],
    }


def consume(topic, partitions, **args):
    start, strict = args["from"], args.get("strict", False)
    consumer = Consumer({
        **SHARED,
        "group.id": "confluent-python-reader",
        "enable.auto.commit": False,
        "check.crcs": True,
        "auto.offset.reset": "error" if strict else "earliest",
    })
    try:
        parts = [TopicPartition(topic, index, ck.OFFSET_BEGINNING) for index in range(partitions)]
        if start != "earliest" and "offset" in start:
            parts = [TopicPartition(topic, index, start["offset"]) for index in range(partitions)]
        elif start != "earliest":
            for part in parts:
                part.offset = start["timestamp"]
            parts = consumer.offsets_for_times(parts, 10)
        consumer.assign(parts)
        records = []
        end = time.monotonic() + args["waitMs"] / 1000
        while len(records) < args["count"] and time.monotonic() < end:
            for message in consumer.consume(min(500, args["count"] - len(records)), 0.1):
                if message.error():
                    raise KafkaException(message.error())
                records.append(received(message))
        return records
    finally:
        consumer.close()


def listOffsets(topic, partition, at):
    spec = OffsetSpec.for_timestamp(at) if isinstance(at, int) else OFFSETS[at]()
    future = next(iter(admin.list_offsets({TopicPartition(topic, partition): spec}).values()))
    found = future.result()
    return {"offset": found.offset, "timestamp": found.timestamp}


def groupOpen(handle, group, topic, assignor=None, instanceId=None, protocol=None):
    settings = {**SHARED, "group.id": group, "enable.auto.commit": False}
    settings["auto.offset.reset"] = "earliest"
    if protocol == "consumer":
        settings["group.protocol"] = protocol
    else:
        settings.update({"session.timeout.ms": 10000, "heartbeat.interval.ms": 500})
    if assignor is not None:
        settings["partition.assignment.strategy"] = assignor
    if instanceId is not None:
        settings["group.instance.id"] = instanceId

    def poll(member):
        messages = member.consumer.consume(100, 0.1)
        member.take([received(one) for one in messages if not one.error()])
        member.assignment = [part.partition for part in member.consumer.assignment()]

    member = Member(topic, Consumer(settings), poll, lambda one: one.consumer.close())
    members[handle] = member
    member.consumer.subscribe([topic])
    member.start()


def groupState(handle):
    return members[handle].state()


def groupCommit(handle):
    member = members[handle]
    offsets = [TopicPartition(member.topic, p, o) for p, o in member.positions.items()]
    done = member.on_thread(lambda: member.consumer.commit(offsets=offsets, asynchronous=False))
    for part in done:
        if part.error:
            raise KafkaException(part.error)


def groupClose(handle):
    members.pop(handle).close()


def settled(futures):
    for future in futures.values():
        future.result()


def createTopic(topic, partitions, configs=None):
    settled(admin.create_topics([NewTopic(topic, partitions, 1, config=configs or {})]))


def listTopics():
    return list(admin.list_topics(timeout=10).topics)


def describeTopic(topic):
    future = next(iter(admin.describe_topics(ck.TopicCollection([topic])).values()))
    partitions = [
        {
            "id": one.id,
            "leader": one.leader.id,
            "replicas": [node.id for node in one.replicas],
            "isr": [node.id for node in one.isr],
        }
        for one in future.result().partitions
    ]
    return {"partitions": partitions}


def createPartitions(topic, total):
    settled(admin.create_partitions([NewPartitions(topic, total)]))


def deleteTopic(topic):
    settled(admin.delete_topics([topic]))


def describeConfigs(topic):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found = next(iter(admin.describe_configs([resource]).values())).result()
    default = ConfigSource.DEFAULT_CONFIG.value
    return {
        name: {"value": one.value, "isDefault": one.is_default or one.source == default}
        for name, one in found.items()
    }


def alterConfigs(topic, configs):
    settled(admin.alter_configs([ConfigResource(ResourceType.TOPIC, topic, set_config=configs)]))


def incrementalAlterConfigs(topic, changes):
    entries = [
        ConfigEntry(
            one["name"],
            one["value"],
            incremental_operation=AlterConfigOpType[one["op"].upper()],
        )
        for one in changes
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    settled(admin.incremental_alter_configs([resource]))


def deleteRecords(topic, partition, before):
    futures = admin.delete_records([TopicPartition(topic, partition, before)])
    return {"low": next(iter(futures.values())).result().low_watermark}


def listGroups():
    return [one.group_id for one in admin.list_consumer_groups().result().valid]


def describeGroup(group):
    found = admin.describe_consumer_groups([group])[group].result()
    members = [
        {
            "clientId": one.client_id,
            "partitions": [part.partition for part in one.assignment.topic_partitions],
        }
        for one in found.members
    ]
    state = "".join(word.capitalize() for word in found.state.name.split("_"))
    return {"state": state, "protocolType": "consumer", "members": members}


def deleteGroup(group):
    settled(admin.delete_consumer_groups([group]))


def groupOffsets(group, topic, partitions):
    asked = [TopicPartition(topic, index) for index in range(partitions)]
    request = [ck.ConsumerGroupTopicPartitions(group, asked)]
    found = admin.list_consumer_group_offsets(request)[group].result()
    return {
        str(one.partition): -1 if one.offset < 0 else one.offset for one in found.topic_partitions
    }


def setGroupOffsets(group, topic, offsets):
    wanted = [TopicPartition(topic, int(index), offset) for index, offset in offsets.items()]
    request = [ck.ConsumerGroupTopicPartitions(group, wanted)]
    settled(admin.alter_consumer_group_offsets(request))


def describeCluster():
    found = admin.describe_cluster().result()
    return {
        "clusterId": found.cluster_id,
        "controller": found.controller.id,
        "brokers": [{"id": one.id, "host": one.host, "port": one.port} for one in found.nodes],
    }


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
    alterConfigs,
    incrementalAlterConfigs,
    deleteRecords,
    listGroups,
    describeGroup,
    deleteGroup,
    groupOffsets,
    setGroupOffsets,
    describeCluster,
]
FEATURES = "empty gzip snappy lz4 zstd dupHeaders nullHeaders offsets strict assignors static maxTimestamp".split()


def describe_error(error):
    inner = error.args[0] if isinstance(error, KafkaException) else None
    if isinstance(inner, ck.KafkaError):
        return (inner.code() if inner.code() > 0 else None), inner.name()
    return None, type(error).__name__


serve(
    "confluent-python",
    f"{ck.version()} librdkafka {ck.libversion()[0]}",
    {one.__name__: one for one in COMMANDS},
    FEATURES,
    describe_error,
)
