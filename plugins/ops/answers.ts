/** What the operations API answers with: zod schemas, from which the OpenAPI document is made. */
import { z } from "zod";

const count = z.int().min(0);
const bytes = count.describe("Bytes.");
const unixMs = z.number().describe("Unix time in milliseconds.");
const storeState = z.enum(["healthy", "degraded", "unavailable"]);

export const Problem = z.strictObject({
  error: z.string().describe("What is wrong and what to do, in one sentence."),
});

export const Alive = z.strictObject({
  status: z.enum(["ok", "starting"]),
});

export const Ready = z.strictObject({
  ready: z.boolean(),
  checks: z.array(z.strictObject({
    name: z.enum(["listener", "leadership", "log", "groups", "store"]),
    ok: z.boolean(),
    detail: z.string(),
  })),
});

export const Health = z.strictObject({
  state: storeState,
  value: z.int().min(0).max(2).describe("0 healthy, 1 degraded, 2 unavailable."),
  reason: z.string().describe("Why; empty while healthy."),
  sinceMs: unixMs,
  forMs: z.number().describe("Milliseconds since then."),
  writes: storeState,
  reads: storeState,
  latencyMsAvg: z.number(),
  errorRate: z.number().min(0).max(1),
});

export const Status = z.strictObject({
  broker: z.strictObject({
    brokerId: count,
    clusterId: z.string(),
    version: z.string(),
    rack: z.string().nullable(),
    host: z.string(),
    port: count,
    brokerEpoch: count,
    startedAtMs: unixMs,
  }),
  cluster: z.strictObject({
    controllerId: z.int(),
    brokers: z.array(z.strictObject({
      nodeId: count,
      host: z.string(),
      port: count,
      rack: z.string().nullable(),
    })),
  }),
  uptimeMs: z.number(),
  state: z.enum(["serving", "draining", "drained", "stopping"])
    .describe("drained: leads nothing, and may be stopped."),
  ready: z.boolean(),
  store: storeState,
  topics: count,
  partitions: count,
  partitionsLoaded: count,
  partitionsLed: count,
  partitionsOffline: count.describe("Those that nobody leads."),
  groups: count,
  connections: count,
  commits: z.strictObject({
    committed: count,
    queued: count,
    inFlight: count,
    uncommittedBytes: bytes,
    produceWaiting: count,
  }),
  log: z.strictObject({
    walObjects: count,
    walBytes: bytes,
    unrewrittenBytes: bytes,
    segments: count,
    segmentBytes: bytes,
  }),
  plugins: z.array(z.strictObject({
    name: z.string(),
    state: z.enum(["idle", "starting", "running", "waiting", "ended"]),
    restarts: count,
    lastError: z.string().nullable(),
  })),
});

export const Config = z.record(z.string(), z.unknown())
  .describe('Effective settings by name; a secret that is set reads "(secret)".');

const Topic = z.strictObject({
  name: z.string(),
  topicId: z.string(),
  partitions: count,
  configs: z.record(z.string(), z.string()).describe("What the topic sets itself."),
});

const next = z.string().nullable().describe("Ask again with `after` set to this; null: no more.");

export const Topics = z.strictObject({ topics: z.array(Topic), next });

const Partition = z.strictObject({
  partition: count,
  leader: z.int().describe("Node id; -1: nobody leads it now."),
  leaderEpoch: z.int(),
  log: z.strictObject({
    logStartOffset: count,
    highWatermark: count,
    lastStableOffset: count,
    logEndOffset: count,
    segments: count,
    segmentBytes: bytes,
    walBytes: bytes,
    producers: count,
  }).nullable().describe("Null where another broker leads it, or where it cannot be loaded now."),
});

export const TopicDetail = z.strictObject({
  ...Topic.shape,
  partitionDetails: z.array(Partition),
  next: count.nullable().describe("Ask again with `from` set to this; null: no more."),
});

const Group = z.strictObject({
  groupId: z.string(),
  type: z.string(),
  state: z.string(),
  protocolType: z.string().nullable(),
  protocol: z.string().nullable(),
  generationId: z.int(),
  members: count,
});

export const Groups = z.strictObject({ groups: z.array(Group), next });

export const GroupDetail = z.strictObject({
  ...Group.shape,
  memberDetails: z.array(z.strictObject({
    memberId: z.string(),
    groupInstanceId: z.string().nullable(),
    clientId: z.string(),
    clientHost: z.string(),
  })),
  lag: z.strictObject({
    total: count.describe("Sum of what is known."),
    max: count,
    partitions: z.array(z.strictObject({
      topic: z.string(),
      partition: count,
      committedOffset: count,
      committedAtMs: unixMs,
      highWatermark: count.nullable(),
      lag: count.nullable().describe("Null where the partition cannot be loaded now."),
    })),
  }).nullable().describe("Null where committed offsets cannot be read now."),
});

export const Connections = z.strictObject({
  total: count,
  connections: z.array(z.strictObject({
    connectionId: count,
    remoteAddress: z.string(),
    principal: z.string(),
    clientId: z.string().nullable(),
    clientSoftware: z.strictObject({ name: z.string(), version: z.string() }).nullable(),
    pending: count.describe("Requests in work or not yet answered."),
    queuedBytes: bytes.describe("Of answers that the client has not taken yet."),
  })),
});

export const Flushed = z.strictObject({
  segments: count.describe("Segments that were written."),
  rewrittenBytes: bytes,
  tookMs: z.number(),
});

export const Drained = z.strictObject({
  moved: count.describe("Partitions and coordinator shards that other brokers lead now."),
  tookMs: z.number(),
});

export const Snapshot = z.strictObject({
  key: z.string().describe("Of the object in the bucket."),
  size: bytes,
  createdMs: unixMs,
});

/** What the OpenAPI document calls them. */
export const NAMED: Readonly<Record<string, z.ZodType>> = {
  Problem,
  Alive,
  Ready,
  Health,
  Status,
  Config,
  Topic,
  Topics,
  Partition,
  TopicDetail,
  Group,
  Groups,
  GroupDetail,
  Connections,
  Flushed,
  Drained,
  Snapshot,
};
