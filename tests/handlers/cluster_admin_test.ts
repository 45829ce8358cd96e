import { assertEquals } from "@std/assert";
import { describeLogDirsHandler } from "../../core/handlers/35_describe_log_dirs.ts";
import { electLeadersHandler } from "../../core/handlers/43_elect_leaders.ts";
import {
  alterPartitionReassignmentsHandler,
} from "../../core/handlers/45_alter_partition_reassignments.ts";
import {
  listPartitionReassignmentsHandler,
} from "../../core/handlers/46_list_partition_reassignments.ts";
import { describeClusterHandler } from "../../core/handlers/60_describe_cluster.ts";
import { singleNode } from "../../core/cluster/single_node.ts";
import type { AnyHandler } from "../../core/handlers/mod.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { TopicRooms } from "./topic_rooms.ts";

/** Runs `call` for every version of the API. */
async function everyVersion(handler: AnyHandler, call: (version: number) => Promise<void>) {
  const { minVersion, maxVersion } = handler.api;
  for (let version = minVersion; version <= maxVersion; version++) await call(version);
}

Deno.test("electLeadersHandler finds no election needed, and names what is not there", async () => {
  await using rooms = await TopicRooms.start({ orders: 2 });
  const topicPartitions = [
    { topic: "orders", partitions: [0, 2] },
    { topic: "none", partitions: [0] },
  ];
  await everyVersion(electLeadersHandler, async (version) => {
    const answer = await rooms.call(electLeadersHandler, { topicPartitions }, version);
    const codes = answer.replicaElectionResults.flatMap((each) =>
      each.partitionResult.map(({ errorCode }) => errorCode)
    );
    assertEquals(codes, [
      ErrorCode.ELECTION_NOT_NEEDED,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]);
  });
});

Deno.test("electLeadersHandler asked for all lists partitions without a leader only", async () => {
  await using rooms = await TopicRooms.start({ orders: 2 });
  const all = { topicPartitions: null };
  assertEquals((await rooms.call(electLeadersHandler, all)).replicaElectionResults, []);
  rooms.leaderId = -1;
  const { replicaElectionResults } = await rooms.call(electLeadersHandler, all);
  assertEquals(
    replicaElectionResults[0]!.partitionResult.map(({ errorCode }) => errorCode),
    [ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE],
  );
  const wrong = await rooms.call(electLeadersHandler, { electionType: 2 });
  assertEquals(wrong.errorCode, ErrorCode.INVALID_REQUEST);
});

Deno.test("electLeadersHandler waits for a move as long as the client does", async () => {
  await using rooms = await TopicRooms.start({ orders: 3 });
  const id = rooms.id("orders");
  rooms.placements.set(`${id}-0`, { ownerId: 7, preferredId: 8, movingTo: 8 });
  rooms.placements.set(`${id}-1`, { ownerId: 7, preferredId: 8, movingTo: 8 });
  rooms.placements.set(`${id}-2`, { ownerId: 7, preferredId: 9, movingTo: undefined });
  const topicPartitions = [{ topic: "orders", partitions: [0, 1, 2] }];
  const asked = rooms.call(electLeadersHandler, { topicPartitions, timeoutMs: 5_000 });
  await rooms.runtime.advance(1_000);
  rooms.placements.set(`${id}-0`, { ownerId: 8, preferredId: 8, movingTo: undefined });
  await rooms.runtime.advance(5_000);
  const codes = (await asked).replicaElectionResults[0]!.partitionResult.map((p) => p.errorCode);
  assertEquals(codes, [
    ErrorCode.NONE,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
  ]);
  // An unclean election asks for any leader, and there is one.
  const any = await rooms.call(electLeadersHandler, { topicPartitions, electionType: 1 });
  assertEquals(
    any.replicaElectionResults[0]!.partitionResult.map((p) => p.errorCode),
    Array(3).fill(ErrorCode.ELECTION_NOT_NEEDED),
  );
});

Deno.test("alterPartitionReassignmentsHandler moves a partition to one broker", async () => {
  await using rooms = await TopicRooms.start({ orders: 5 });
  rooms.shared = true;
  const id = rooms.id("orders");
  const partitions = [[8], [7, 8], [9], null, []].map((replicas, partitionIndex) => ({
    partitionIndex,
    replicas,
  }));
  const topics = [
    { name: "orders", partitions },
    { name: "none", partitions: [{ partitionIndex: 0, replicas: [7] }] },
  ];
  await everyVersion(alterPartitionReassignmentsHandler, async (version) => {
    rooms.preferred.length = 0;
    const answer = await rooms.call(alterPartitionReassignmentsHandler, { topics }, version);
    const codes = answer.responses.flatMap((each) => each.partitions.map((p) => p.errorCode));
    assertEquals(codes, [
      ErrorCode.NONE,
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]);
    assertEquals(rooms.preferred, [[id, 0, 8]]);
  });
  const codesOf = async (replicas: number[] | null) => {
    const topics = [{ name: "orders", partitions: [{ partitionIndex: 3, replicas }] }];
    const { responses } = await rooms.call(alterPartitionReassignmentsHandler, { topics });
    return responses[0]!.partitions[0]!.errorCode;
  };
  rooms.placements.set(`${id}-3`, { ownerId: 7, preferredId: 8, movingTo: 8 });
  assertEquals(await codesOf(null), ErrorCode.NONE);
  assertEquals(rooms.preferred.at(-1), [id, 3, null]);
  rooms.draining.add(8);
  assertEquals(await codesOf([8]), ErrorCode.INVALID_REPLICA_ASSIGNMENT);
  rooms.outage = "retry";
  assertEquals(await codesOf([7]), ErrorCode.REQUEST_TIMED_OUT);
  await using off = await TopicRooms.start({}, { allowAdminApis: false });
  const refused = await off.call(alterPartitionReassignmentsHandler, { topics });
  assertEquals(refused.errorCode, ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
});

Deno.test("alterPartitionReassignmentsHandler moves nothing on a broker alone", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const view = singleNode("c", () => ({ nodeId: 7, host: "seven", port: 9092, rack: null }));
  Object.assign(rooms.rooms, { cluster: view });
  const code = async (replicas: number[] | null) => {
    const topics = [{ name: "orders", partitions: [{ partitionIndex: 0, replicas }] }];
    const { responses } = await rooms.call(alterPartitionReassignmentsHandler, { topics });
    return responses[0]!.partitions[0]!.errorCode;
  };
  assertEquals(await code([7]), ErrorCode.NONE);
  assertEquals(await code([8]), ErrorCode.INVALID_REPLICA_ASSIGNMENT);
  assertEquals(await code(null), ErrorCode.NO_REASSIGNMENT_IN_PROGRESS);
});

Deno.test("listPartitionReassignmentsHandler lists what is on its way", async () => {
  await using rooms = await TopicRooms.start({ orders: 3 });
  const listed = async (topics: { name: string; partitionIndexes: number[] }[] | null) => {
    const answer = await rooms.call(listPartitionReassignmentsHandler, { topics });
    assertEquals(answer.errorCode, ErrorCode.NONE);
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map((p) => [
        `${name}-${p.partitionIndex}`,
        p.replicas,
        p.addingReplicas,
        p.removingReplicas,
      ])
    );
  };
  assertEquals(await listed(null), []);
  const id = rooms.id("orders");
  rooms.placements.set(`${id}-1`, { ownerId: 7, preferredId: 8, movingTo: 8 });
  rooms.placements.set(`${id}-2`, { ownerId: -1, preferredId: 8, movingTo: 8 });
  assertEquals(await listed(null), [
    ["orders-1", [8, 7], [8], [7]],
    ["orders-2", [8], [8], []],
  ]);
  const named = [
    { name: "orders", partitionIndexes: [0, 1, 9] },
    { name: "none", partitionIndexes: [0] },
  ];
  assertEquals(await listed(named), [["orders-1", [8, 7], [8], [7]]]);
});

Deno.test("describeLogDirsHandler sums up the partitions that were asked for", async () => {
  await using rooms = await TopicRooms.start({ orders: 2, more: 1 }, { dataDir: "/data" });
  const sizes: Record<string, number[]> = { orders: [5, 6], more: [7] };
  Object.assign(rooms.rooms, {
    logs: {
      open: (id: string, partition: number) => {
        const { name } = rooms.rooms.topics.byId(id)!;
        return Promise.resolve({ partition, sizeBytes: sizes[name]![partition]! });
      },
    },
  });
  const listed = async (topics: { topic: string; partitions: number[] }[] | null, version = 4) => {
    const { errorCode, results } = await rooms.call(describeLogDirsHandler, { topics }, version);
    assertEquals([errorCode, results.length, results[0]!.logDir], [0, 1, "/data"]);
    return results[0]!.topics.flatMap(({ name, partitions }) =>
      partitions.map((each) => `${name}-${each.partitionIndex}=${each.partitionSize}`)
    );
  };
  await everyVersion(describeLogDirsHandler, async (version) => {
    assertEquals((await listed(null, version)).toSorted(), [
      "more-0=7",
      "orders-0=5",
      "orders-1=6",
    ]);
  });
  assertEquals(await listed([{ topic: "orders", partitions: [1, 9] }]), ["orders-1=6"]);
  assertEquals(await listed([{ topic: "none", partitions: [0] }]), []);
});

Deno.test("describeClusterHandler tells brokers, and that there are no controllers", async () => {
  await using rooms = await TopicRooms.start();
  await everyVersion(describeClusterHandler, async (version) => {
    const answer = await rooms.call(describeClusterHandler, {}, version);
    assertEquals([answer.errorCode, answer.clusterId, answer.controllerId], [0, "test-cluster", 7]);
    assertEquals(answer.brokers.map(({ brokerId, host, rack }) => [brokerId, host, rack]), [
      [7, "seven", "north"],
      [8, "eight", null],
    ]);
  });
  const controllers = await rooms.call(describeClusterHandler, { endpointType: 2 });
  assertEquals(controllers.errorCode, ErrorCode.MISMATCHED_ENDPOINT_TYPE);
  const other = await rooms.call(describeClusterHandler, { endpointType: 3 });
  assertEquals(other.errorCode, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE);
});
