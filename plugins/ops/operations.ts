/** Every operation of the API. */
import { z } from "zod";
import * as answers from "./answers.ts";
import { describeGroup, listGroups } from "./groups.ts";
import { notFound, ok, type Operation, type Parameter, type Scene } from "./operation.ts";
import { createSnapshot } from "../snapshot/snapshots.ts";
import { describeTopic, listTopics } from "./topics.ts";

const PAGE_MAX = 1_000;

const whole = (fallback: number, max: number) =>
  z.string().regex(/^\d{1,9}$/).transform(Number).pipe(z.int().min(0).max(max)).default(fallback);

const LIMIT: Parameter = {
  name: "limit",
  in: "query",
  doc: `How many at most: 0 to ${PAGE_MAX}; ${PAGE_MAX} unless given.`,
  schema: whole(PAGE_MAX, PAGE_MAX),
};

const AFTER: Parameter = {
  name: "after",
  in: "query",
  doc: "Only those behind this name, in order of names.",
  schema: z.string().default(""),
};

const inPath = (name: string, doc: string): Parameter => ({
  name,
  in: "path",
  doc,
  schema: z.string(),
});

/** The rest is the same for all operations that only read and take nothing. */
function reads(
  id: string,
  path: string,
  summary: string,
  schema: z.ZodType,
  run: (scene: Scene) => unknown,
): Operation {
  return {
    id,
    method: "GET",
    path,
    summary,
    parameters: [],
    changes: false,
    answers: { 200: { doc: summary, schema } },
    run: (scene) => ok(run(scene)),
  };
}

const alive = () => ({ status: "ok" });

/** The broker's own checks, and whether its store answers: without it, produces are refused. */
function ready({ broker }: Scene): z.infer<typeof answers.Ready> {
  const own = broker.readiness();
  const { state, reason } = broker.store.health();
  const store = {
    name: "store" as const,
    ok: state !== "unavailable",
    detail: reason === "" ? `the object store is ${state}` : `${state}: ${reason}`,
  };
  return { ready: own.ready && store.ok, checks: [...own.checks, store] };
}

function health({ broker }: Scene): z.infer<typeof answers.Health> {
  const { state, value, reason, sinceMs, forMs, writes, reads, latencyMsAvg, errorRate } = broker
    .store.health();
  return { state, value, reason, sinceMs, forMs, writes, reads, latencyMsAvg, errorRate };
}

function status(scene: Scene): z.infer<typeof answers.Status> {
  const { broker, plugins } = scene;
  const { figures } = broker;
  const now = figures.now();
  const logs = figures.logs();
  const { led, offline } = figures.leadership();
  const { controllerId, brokers } = broker.cluster();
  return {
    broker: { ...broker.identity },
    cluster: { controllerId, brokers: brokers.map((each) => ({ ...each })) },
    uptimeMs: broker.uptimeMs(),
    state: broker.state(),
    ready: ready(scene).ready,
    store: broker.store.health().state,
    topics: now.topics,
    partitions: now.partitions,
    partitionsLoaded: logs.partitionsLoaded,
    partitionsLed: led,
    partitionsOffline: offline,
    groups: now.groups,
    connections: now.connections,
    commits: {
      committed: figures.chain.commits,
      queued: now.commitsQueued,
      inFlight: now.commitsInFlight,
      uncommittedBytes: now.uncommittedBytes,
      produceWaiting: now.produceWaiting,
    },
    log: {
      walObjects: now.walObjects,
      walBytes: now.walBytes,
      unrewrittenBytes: logs.unrewrittenBytes,
      segments: logs.segments,
      segmentBytes: logs.segmentBytes,
    },
    plugins: plugins().map((plugin) => ({ ...plugin })),
  };
}

const readiness: Operation = {
  ...reads("ready", "/readyz", "Whether the broker serves clients.", answers.Ready, ready),
  answers: {
    200: { doc: "It does.", schema: answers.Ready },
    503: { doc: "It does not; the checks say why.", schema: answers.Ready },
  },
  run: (scene) => {
    const body = ready(scene);
    return { status: body.ready ? 200 : 503, body };
  },
};

const connections: Operation = {
  ...reads("connections", "/api/v1/connections", "Client connections.", answers.Connections, alive),
  parameters: [LIMIT],
  run: ({ broker }, { query }) => {
    const all = broker.connections();
    return ok({
      total: all.length,
      connections: all.slice(0, query.limit as number).map((one) => ({
        connectionId: one.connectionId,
        remoteAddress: one.remoteAddress,
        principal: one.principal,
        clientId: one.clientId,
        clientSoftware: one.clientSoftware ?? null,
        pending: one.pending,
        queuedBytes: one.queuedBytes,
      })),
    });
  },
};

const topics: Operation = {
  ...reads("topics", "/api/v1/topics", "Topics, by name.", answers.Topics, alive),
  parameters: [LIMIT, AFTER],
  run: ({ broker }, { query }) =>
    ok(listTopics(broker, query.limit as number, String(query.after))),
};

const topic: Operation = {
  ...reads("topic", "/api/v1/topics/{topic}", "", answers.TopicDetail, alive),
  summary: "A topic and its partitions; those of this broker are loaded if they were not in use.",
  parameters: [inPath("topic", "The topic's name."), LIMIT, {
    name: "from",
    in: "query",
    doc: "The first partition to tell of.",
    schema: whole(0, 999_999_999),
  }],
  timeoutMs: 60_000,
  answers: {
    200: { doc: "The topic.", schema: answers.TopicDetail },
    404: { doc: "There is no such topic.", schema: answers.Problem },
  },
  run: async ({ broker }, { path, query }) => {
    const from = query.from as number;
    const found = await describeTopic(broker, path.topic!, from, query.limit as number);
    return found === undefined ? notFound(`there is no topic ${path.topic}`) : ok(found);
  },
};

const groups: Operation = {
  ...reads("groups", "/api/v1/groups", "Consumer groups, by id.", answers.Groups, alive),
  parameters: [LIMIT, AFTER],
  run: ({ broker }, { query }) =>
    ok(listGroups(broker, query.limit as number, String(query.after))),
};

const group: Operation = {
  ...reads("group", "/api/v1/groups/{group}", "", answers.GroupDetail, alive),
  summary: "A consumer group, its members and its lag.",
  parameters: [inPath("group", "The group's id.")],
  timeoutMs: 60_000,
  answers: {
    200: { doc: "The group.", schema: answers.GroupDetail },
    404: { doc: "This broker coordinates no such group.", schema: answers.Problem },
  },
  run: async ({ broker }, { path }) => {
    const found = await describeGroup(broker, path.group!);
    return found === undefined ? notFound(`there is no group ${path.group}`) : ok(found);
  },
};

const flush: Operation = {
  id: "flush",
  method: "POST",
  path: "/api/v1/flush",
  summary: "Commits what is open and rewrites the whole write-ahead log into segments.",
  parameters: [],
  changes: true,
  timeoutMs: 600_000,
  answers: {
    200: { doc: "It is done.", schema: answers.Flushed },
    409: { doc: "It cannot be done now.", schema: answers.Problem },
  },
  run: async ({ broker }) => {
    try {
      return ok(await broker.flush());
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { status: 409, body: { error: `the flush was not completed: ${why}` } };
    }
  },
};

const DRAIN_SECONDS_MAX = 570;

const drain: Operation = {
  id: "drain",
  method: "POST",
  path: "/api/v1/drain",
  summary: "Gives the leadership of all partitions to other brokers, and takes none until a " +
    "restart; the broker serves on, and may be stopped afterwards.",
  parameters: [{
    name: "timeoutSeconds",
    in: "query",
    doc: `How long to wait for it: 1 to ${DRAIN_SECONDS_MAX}; KAFSCALE_DRAIN_TIMEOUT_MS unless ` +
      "given.",
    schema: z.string().regex(/^\d{1,3}$/).transform(Number)
      .pipe(z.int().min(1).max(DRAIN_SECONDS_MAX)).optional(),
  }],
  changes: true,
  timeoutMs: 600_000,
  answers: {
    200: { doc: "The broker leads nothing any more.", schema: answers.Drained },
    409: { doc: "There is no broker that would take over.", schema: answers.Problem },
    504: { doc: "Not everything moved in time; the rest goes on moving.", schema: answers.Problem },
  },
  run: async ({ broker }, { query }) => {
    const seconds = query.timeoutSeconds as number | undefined;
    try {
      const { moved, left, tookMs } = await broker.drain(seconds && seconds * 1_000);
      if (left === 0) return ok({ moved, tookMs });
      const error = `${left} partitions are still led here after ${Math.round(tookMs)} ms; they ` +
        "go on moving, GET /readyz tells when it is done";
      return { status: 504, body: { error } };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { status: 409, body: { error: `the broker is not drained: ${why}` } };
    }
  },
};

const snapshot: Operation = {
  id: "snapshot",
  method: "POST",
  path: "/api/v1/etcd/snapshot",
  summary: "Copies the cluster's metadata to the bucket now; any broker does it.",
  parameters: [],
  changes: true,
  timeoutMs: 600_000,
  answers: {
    200: { doc: "The snapshot that was made.", schema: answers.Snapshot },
    409: { doc: "It was not made.", schema: answers.Problem },
  },
  run: async ({ broker: { backups }, snapshotPrefix: prefix }) => {
    const { store, namespace } = backups;
    try {
      await backups.prepare();
      return ok(await createSnapshot({ store, prefix, namespace }, backups, Date.now()));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { status: 409, body: { error: `the snapshot was not made: ${why}` } };
    }
  },
};

export const OPERATIONS: readonly Operation[] = [
  reads("alive", "/livez", "Whether the process lives.", answers.Alive, alive),
  reads("aliveAsWell", "/healthz", "The same under its older name.", answers.Alive, alive),
  readiness,
  reads("health", "/api/v1/health", "How the object store is doing.", answers.Health, health),
  reads("status", "/api/v1/status", "The broker at a glance.", answers.Status, status),
  reads("config", "/api/v1/config", "Effective settings.", answers.Config, (s) => s.broker.config),
  topics,
  topic,
  groups,
  group,
  connections,
  flush,
  drain,
  snapshot,
];
