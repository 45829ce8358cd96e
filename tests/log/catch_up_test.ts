/** What a consumer that reads everything from the start costs a whole broker in GETs. */
import { assert, assertEquals } from "@std/assert";
import { fillTopic } from "../../bench/fill.ts";
import { createTopic } from "../../bench/load/client_connection.ts";
import { fetchLoad } from "../../bench/load/fetch_load.ts";
import { createBroker } from "../../core/broker.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import { TOPICS_PREFIX } from "../../core/metadata/keys.ts";
import { TopicView } from "../../core/metadata/topic_view.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { MINIO_ADVICE } from "../../drivers/storage/minio/settings.ts";

const MIB = 1 << 20;
const GET_BYTES = 4 * MIB;
const RECORD_BYTES = 60_000;

/** A topic of full segments, without a broker's cache to know of them. */
class World {
  readonly runtime = systemRuntime(systemLog("error", true));
  readonly objects = new MemoryObjects();
  readonly metadata = new MemoryMetadata(this.runtime);

  /** A broker with an empty cache; its store asks and is asked as a bucket on MinIO. */
  async broker() {
    const { runtime, objects, metadata } = this;
    const store = Object.assign(memoryStore(objects, runtime), { advice: MINIO_ADVICE });
    return await createBroker({
      config: defaultConfig({
        brokerAddr: "127.0.0.1:0",
        storage: "memory",
        metadata: "memory",
        namespace: "ns",
      }),
      runtime,
      store,
      metadata: metadata.connect(),
    });
  }

  /** Bytes of all segments. */
  async fill(partitions: number, segments: number, segmentBytes: number): Promise<number> {
    const first = await this.broker();
    await createTopic(first.port, "t", partitions);
    await first.stop();
    const view = new TopicView();
    const { entries, revision } = await this.metadata.connect().list(TOPICS_PREFIX);
    view.load(entries, revision);
    return await fillTopic({
      store: memoryStore(this.objects, this.runtime),
      namespace: "ns",
      topic: view.byName("t")!,
      partitions,
      segments,
      batches: Math.floor((segmentBytes - 1_000) / (RECORD_BYTES + 80)),
      recordBytes: RECORD_BYTES,
    });
  }
}

const SHAPES = [
  { partitions: 4, segments: 6, segmentBytes: 4 * MIB },
  { partitions: 2, segments: 2, segmentBytes: 30 * MIB },
];

for (const { partitions, segments, segmentBytes } of SHAPES) {
  Deno.test({
    name: `reading ${segments} segments of ${segmentBytes / MIB} MiB each in ${partitions} ` +
      "partitions takes a GET per 4 MiB, and one more to find each partition's start",
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const world = new World();
      const bytes = await world.fill(partitions, segments, segmentBytes);
      const broker = await world.broker();
      try {
        const before = broker.storeView.figures.get.ok;
        const { records } = await fetchLoad({
          port: broker.port,
          topic: "t",
          partitions,
          connections: partitions,
          bytesMax: 50 * MIB,
          partitionBytesMax: MIB,
          verify: true,
        });
        assertEquals(records, partitions * segments * Math.floor((segmentBytes - 1_000) / 60_080));
        const gets = broker.storeView.figures.get.ok - before;
        const perSegment = Math.ceil(segmentBytes / GET_BYTES);
        // Manifest, and the first read of a consumer that is not known to be sequential yet.
        const most = partitions * (segments * perSegment + 2);
        assert(gets <= most, `${gets} GETs for ${Math.round(bytes / MIB)} MiB, not ${most}`);
      } finally {
        await broker.stop();
      }
    },
  });
}
