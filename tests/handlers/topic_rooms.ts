/** Rooms with the real topic registry and producer ids on metadata in memory, for two brokers. */
import { Reader, Writer } from "../../core/bytes/mod.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import type { AnyHandler, Rooms } from "../../core/handlers/mod.ts";
import type { ClusterView, Placement } from "../../core/handlers/rooms.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { ProducerIds } from "../../core/metadata/producer_ids.ts";
import { TopicRegistry } from "../../core/metadata/topics.ts";
import type { Api, Loose } from "../../core/protocol/api.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { MemoryNetwork } from "../server/memory_network.ts";
import { FakeContext } from "./fake_rooms.ts";

export class TopicRooms {
  readonly runtime = manualRuntime(1, new MemoryNetwork());
  /** Set: every read and write of the metadata store fails so. */
  outage: "retry" | "fatal" | undefined;
  /** Node id of all leaders; -1: none. */
  leaderId = 7;
  /** Whether partitions have never been led. */
  isNew = false;
  /** Whether partitions move between brokers 7 and 8; `placements` then says where they are. */
  shared = false;
  readonly placements = new Map<string, Placement>();
  readonly draining = new Set<number>();
  /** What was asked of `prefer`. */
  readonly preferred: [topicId: string, partition: number, broker: number | null][] = [];
  /** Node ids of all partitions' read replicas. */
  readReplicas: number[] = [];
  readonly topics: TopicRegistry;
  readonly rooms: Rooms;

  private constructor(overrides: Parameters<typeof defaultConfig>[0]) {
    const config = defaultConfig(overrides);
    const store = new MemoryMetadata(this.runtime).connect({
      before: (call) => {
        if (this.outage === undefined || (call !== "get" && call !== "commit")) return;
        throw new MetadataError(this.outage, "metadata is cut off");
      },
    });
    this.topics = new TopicRegistry({ runtime: this.runtime, store, config });
    const rooms: Partial<Record<keyof Rooms, unknown>> = {
      config,
      runtime: this.runtime,
      topics: this.topics,
      producerIds: new ProducerIds(store),
      cluster: this.#cluster(),
    };
    this.rooms = rooms as unknown as Rooms;
  }

  static async start(
    topics: Readonly<Record<string, number>> = {},
    overrides: Parameters<typeof defaultConfig>[0] = {},
  ): Promise<TopicRooms> {
    const rooms = new TopicRooms(overrides);
    await rooms.topics.start();
    await rooms.topics.create(
      Object.entries(topics).map(([name, partitionCount]) => ({
        name,
        partitionCount,
        configs: [],
      })),
    );
    return rooms;
  }

  #cluster(): ClusterView {
    const own = () => ({ ownerId: this.leaderId, preferredId: -1, movingTo: undefined });
    // deno-lint-ignore no-this-alias -- for the getter
    const rooms = this;
    return {
      clusterId: "test-cluster",
      brokerId: 7,
      controllerId: 7,
      brokers: () => [
        { nodeId: 7, host: "seven", port: 9092, rack: "north" },
        { nodeId: 8, host: "eight", port: 9093, rack: null },
      ],
      leader: () => ({ leaderId: this.leaderId, leaderEpoch: 4 }),
      isNew: () => this.isNew,
      readReplicas: () => this.readReplicas,
      readReplica: () => -1,
      coordinator: () => this.leaderId,
      get shared() {
        return rooms.shared;
      },
      canLead: (id) => (id === 7 || id === 8) && !this.draining.has(id),
      placement: (topicId, at) => this.placements.get(`${topicId}-${at}`) ?? own(),
      prefer: (topicId, wanted) => {
        if (this.outage !== undefined) {
          return Promise.reject(new MetadataError(this.outage, "metadata is cut off"));
        }
        for (const [at, broker] of wanted) this.preferred.push([topicId, at, broker]);
        return Promise.resolve();
      },
    };
  }

  id(name: string): string {
    return this.topics.byName(name)!.id;
  }

  partitions(name: string): number | undefined {
    return this.topics.byName(name)?.partitionCount;
  }

  /** Sends `request` through the codec, the handler, and the codec again. */
  async call<Request, Response>(
    { api, handle }: { api: Api<Request, Response>; handle: AnyHandler["handle"] },
    request: Loose<Request>,
    version = api.maxVersion,
  ): Promise<Response> {
    const asked = new Writer();
    api.request.write(asked, request, version);
    const decoded = api.request.read(new Reader(asked.toBytes()), version);
    const response = await handle(this.rooms, new FakeContext(version), decoded);
    const answered = new Writer();
    api.response.write(answered, response!, version);
    return api.response.read(new Reader(answered.toBytes()), version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.outage = undefined;
    await this.topics.stop();
  }
}
