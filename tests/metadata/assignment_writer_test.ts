import { assert, assertEquals, assertRejects } from "@std/assert";
import { AssignmentWriter } from "../../core/metadata/assignment_writer.ts";
import {
  AssignmentView,
  changeAssignment,
  type PartitionAssignment,
  UNASSIGNED,
} from "../../core/metadata/assignments.ts";
import { ASSIGNMENTS_PREFIX } from "../../core/metadata/keys.ts";
import { MetadataError, type Transaction } from "../../core/metadata/metadata_store.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

type Partitions = readonly PartitionAssignment[];

/** A store whose transactions are noted, and fail while `away`. */
function scene(topics: number) {
  const metadata = new MemoryMetadata(manualRuntime());
  const noted: Transaction[] = [];
  const state = { away: false };
  const connection = metadata.connect();
  const store = {
    get: (key: string) => connection.get(key),
    async commit(tx: Transaction) {
      noted.push(tx);
      // a round trip, in which others may ask for more
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (state.away) throw new MetadataError("retry", "away");
      return await connection.commit(tx);
    },
  };
  const ids = Array.from({ length: topics }, (_, at) => `topic-${at}`);
  const made = Promise.all(
    ids.map((id) =>
      changeAssignment(
        metadata.connect(),
        id,
        () => [0, 1, 2].map(() => ({ ...UNASSIGNED, leaderEpoch: 0 })),
      )
    ),
  );
  return { metadata, store, state, noted, ids, made };
}

async function viewOf(metadata: MemoryMetadata): Promise<AssignmentView> {
  const view = new AssignmentView();
  view.load((await metadata.connect().list(ASSIGNMENTS_PREFIX)).entries);
  return view;
}

const raised = (partition: number) => (present: Partitions | undefined) =>
  present?.with(partition, {
    ...present[partition]!,
    leaderEpoch: present[partition]!.leaderEpoch + 1,
  });

const epochs = (partitions: Partitions | undefined) => partitions?.map((each) => each.leaderEpoch);

async function epochsOf({ metadata }: { metadata: MemoryMetadata }, topicId: string) {
  return epochs((await viewOf(metadata)).of(topicId)?.partitions);
}

Deno.test("change() of a topic that is being written shares the next write", async () => {
  const s = scene(1);
  await s.made;
  const writer = new AssignmentWriter(s.store, await viewOf(s.metadata));
  const [topic] = s.ids;
  const first = writer.change(topic!, raised(0));
  await Promise.resolve();
  const rest = Array.from({ length: 50 }, (_, at) => writer.change(topic!, raised(at % 3)));
  assertEquals(epochs(await first), [1, 0, 0]);
  assertEquals(epochs((await Promise.all(rest)).at(-1)), [18, 17, 16]);
  assertEquals(await epochsOf(s, topic!), [18, 17, 16]);
  assertEquals(s.noted.length, 2);
});

Deno.test("change() of many topics at a time goes in few transactions", async () => {
  const s = scene(150);
  await s.made;
  const writer = new AssignmentWriter(s.store, await viewOf(s.metadata));
  await Promise.all(s.ids.map((id) => writer.change(id, raised(1))));
  assertEquals(s.noted.map(({ then }) => then.length), [64, 64, 22]);
  const view = await viewOf(s.metadata);
  for (const id of s.ids) assertEquals(epochs(view.of(id)?.partitions), [0, 1, 0]);
});

Deno.test("change() that a rival was faster than is made on its record", async () => {
  const s = scene(20);
  await s.made;
  const writers = [1, 2, 3].map(async () =>
    new AssignmentWriter(s.store, await viewOf(s.metadata))
  );
  await Promise.all(writers.map(async (writer, partition) => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(s.ids.map(async (id) => (await writer).change(id, raised(partition))));
    }
  }));
  for (const id of s.ids) assertEquals(await epochsOf(s, id), [5, 5, 5]);
});

Deno.test("change() that leaves a record has seen that of metadata", async () => {
  const s = scene(1);
  await s.made;
  const [topic] = s.ids;
  const writer = new AssignmentWriter(s.store, await viewOf(s.metadata));
  await changeAssignment(s.metadata.connect(), topic!, raised(2));
  const seen: unknown[] = [];
  const record = await writer.change(topic!, (present) => {
    seen.push(epochs(present));
    return undefined;
  });
  assertEquals(epochs(record), [0, 0, 1]);
  assertEquals(seen.at(-1), [0, 0, 1]);
  assertEquals(await writer.change("unknown", () => undefined), undefined);
  assertEquals(s.noted, []);
});

Deno.test("change() that throws is refused alone", async () => {
  const s = scene(1);
  await s.made;
  const [topic] = s.ids;
  const writer = new AssignmentWriter(s.store, await viewOf(s.metadata));
  const before = writer.change(topic!, raised(0));
  const refused = writer.change(topic!, () => {
    throw new MetadataError("retry", "not now");
  });
  const after = writer.change(topic!, raised(0));
  await assertRejects(() => refused, MetadataError, "not now");
  assertEquals([epochs(await before), epochs(await after)], [[1, 0, 0], [2, 0, 0]]);
});

Deno.test("change() fails with the store, and goes through afterwards", async () => {
  const s = scene(2);
  await s.made;
  const writer = new AssignmentWriter(s.store, await viewOf(s.metadata));
  s.state.away = true;
  const failing = s.ids.map((id) => writer.change(id, raised(0)));
  for (const each of failing) await assertRejects(() => each, MetadataError, "away");
  s.state.away = false;
  for (const id of s.ids) assertEquals(epochs(await writer.change(id, raised(0))), [1, 0, 0]);
});

Deno.test("change() cuts transactions by bytes", async () => {
  const s = scene(0);
  const writer = new AssignmentWriter(s.store, new AssignmentView());
  const large = Array.from({ length: 8_000 }, (_, at) => ({
    ...UNASSIGNED,
    owner: { brokerId: 1, brokerEpoch: at },
  }));
  await Promise.all(["a", "b", "c", "d", "e"].map((id) => writer.change(id, () => large)));
  const bytes = ({ then }: Transaction) =>
    then.reduce((sum, op) => sum + ("put" in op ? op.value.length : 0), 0);
  assert(s.noted.length > 1);
  for (const tx of s.noted) assert(bytes(tx) < 1_024 * 1_024, `${bytes(tx)} bytes`);
  assertEquals((await viewOf(s.metadata)).of("e")?.partitions.length, 8_000);
});

Deno.test("partitions() has what was written here before the view has it", async () => {
  const s = scene(1);
  await s.made;
  const [topic] = s.ids;
  const view = await viewOf(s.metadata);
  const writer = new AssignmentWriter(s.store, view);
  await writer.change(topic!, raised(0));
  assertEquals(epochs(view.of(topic!)?.partitions), [0, 0, 0]);
  assertEquals(epochs(writer.partitions(topic!)), [1, 0, 0]);
  await changeAssignment(s.metadata.connect(), topic!, raised(1));
  view.load((await s.metadata.connect().list(ASSIGNMENTS_PREFIX)).entries);
  assertEquals(epochs(writer.partitions(topic!)), [1, 1, 0]);
  assertEquals(writer.partitions("unknown"), undefined);
});
