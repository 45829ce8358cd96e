/**
 * A client under test as a child process that obeys JSON lines: one request object per line on its
 * standard input, one answer per line on its standard output, in any order.
 *
 *     → {"id":7,"cmd":"produce","args":{…}}
 *     ← {"id":7,"ok":…}   or   {"id":7,"error":{"code":3,"name":"…","message":"…"}}
 *
 * Its first line is `{"ready":{"client":"…","version":"…","can":["produce",…]}}`. The same
 * scenarios then run against every client; README.md lists the commands.
 */
import type { WireRecord } from "./records.ts";

/** What an agent says about itself. */
export interface Ready {
  readonly client: string;
  readonly version: string;
  /** Commands it has, and features such as "dupHeaders". */
  readonly can: readonly string[];
}

/** A call that the client refused; `code` is Kafka's error code, null for the client's own. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  constructor(
    readonly code: number | null,
    readonly errorName: string,
    message: string,
    cmd: string,
  ) {
    super(`${cmd}: ${errorName} (${code}): ${message}`);
  }
}

/** Arguments and results of the commands, as README.md describes them. */
export interface Commands {
  produce: [ProduceArgs, { offsets: [number, number][] | null }];
  consume: [ConsumeArgs, WireRecord[]];
  listOffsets: [{ topic: string; partition: number; at: OffsetSpec }, OffsetAt];
  groupOpen: [GroupArgs, null];
  groupState: [{ handle: string }, { assignment: number[]; records: WireRecord[] }];
  groupCommit: [{ handle: string }, null];
  groupClose: [{ handle: string }, null];
  createTopic: [{ topic: string; partitions: number; configs?: Record<string, string> }, null];
  listTopics: [Record<never, never>, string[]];
  describeTopic: [{ topic: string }, { partitions: DescribedPartition[] }];
  createPartitions: [{ topic: string; total: number }, null];
  deleteTopic: [{ topic: string }, null];
  describeConfigs: [{ topic: string }, Record<string, ConfigValue>];
  alterConfigs: [{ topic: string; configs: Record<string, string> }, null];
  incrementalAlterConfigs: [{ topic: string; changes: ConfigChange[] }, null];
  deleteRecords: [{ topic: string; partition: number; before: number }, { low: number } | null];
  listGroups: [Record<never, never>, string[]];
  describeGroup: [{ group: string }, DescribedGroup];
  deleteGroup: [{ group: string }, null];
  groupOffsets: [{ group: string; topic: string; partitions: number }, Record<string, number>];
  setGroupOffsets: [{ group: string; topic: string; offsets: Record<string, number> }, null];
  deleteGroupOffsets: [{ group: string; topic: string; partitions: number[] }, null];
  describeCluster: [Record<never, never>, DescribedCluster];
  describeLogDirs: [{ topic: string }, { partition: number; size: number }[]];
  describeProducers: [{ topic: string; partition: number }, DescribedProducer[]];
}

export type OffsetSpec = "earliest" | "latest" | "maxTimestamp" | number;

export interface OffsetAt {
  readonly offset: number;
  readonly timestamp?: number;
}

export interface ProduceArgs {
  readonly topic: string;
  readonly records: readonly WireRecord[];
  /** Absent: the client's default. */
  readonly compression?: string;
  /** Absent: the client's default. */
  readonly acks?: number;
  /** How long the client may try. */
  readonly timeoutMs?: number;
}

export interface ConsumeArgs {
  readonly topic: string;
  readonly partitions: number;
  /** "earliest", an offset for each partition, or the first record not older than a timestamp. */
  readonly from: "earliest" | { offset: number } | { timestamp: number };
  /** Ends when so many records have come, or the time is over. */
  readonly count: number;
  readonly waitMs: number;
  /** Only this partition (the Java agent). */
  readonly only?: number;
  /** Fail instead of falling back when an offset is out of range. */
  readonly strict?: boolean;
  /** Where the consumer is, its client.rack (the agent of franz-go). */
  readonly rack?: string;
}

export interface GroupArgs {
  /** Names the member in later calls. */
  readonly handle: string;
  readonly group: string;
  readonly topic: string;
  /** range, roundrobin, sticky, cooperative-sticky; absent: the client's default. */
  readonly assignor?: string;
  /** Static membership. */
  readonly instanceId?: string;
  readonly protocol?: "classic" | "consumer";
}

export interface DescribedPartition {
  readonly id: number;
  readonly leader: number;
  readonly replicas: number[];
  readonly isr: number[];
}

export interface ConfigValue {
  readonly value: string | null;
  readonly isDefault: boolean;
}

export interface ConfigChange {
  readonly name: string;
  readonly op: "set" | "delete" | "append" | "subtract";
  readonly value: string | null;
}

export interface DescribedGroup {
  readonly state: string;
  readonly protocolType: string;
  readonly members: { clientId: string; partitions: number[] }[];
}

export interface DescribedCluster {
  readonly clusterId: string;
  readonly controller: number;
  readonly brokers: { id: number; host: string; port: number }[];
}

export interface DescribedProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
}

export type CommandName = keyof Commands;

/**
 * Apache Kafka's brokers learn of a change a moment after the controller has answered, and so do
 * those of a cluster of ours. With one broker it holds from the answer on: no pause.
 */
const LEARN_LATER = Deno.env.has("KAFSCALE_TEST_BOOTSTRAP") ||
  Deno.env.has("KAFSCALE_TEST_CLUSTER") ||
  Deno.env.get("KAFSCALE_TEST_TARGET") === "apache";
const CHANGES = new Set<CommandName>([
  "createTopic",
  "deleteTopic",
  "createPartitions",
  "alterConfigs",
  "incrementalAlterConfigs",
]);

export class Agent {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown> & { cmd: string }>();
  readonly #noise: string[] = [];
  readonly #readers: Promise<void>[];
  readonly #firstLine = Promise.withResolvers<Ready>();
  #nextId = 1;
  #ready: Ready | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#readers = [
      forEachLine(child.stdout, (line) => this.#takeLine(line)),
      forEachLine(child.stderr, (line) => this.#keepNoise(line)),
    ];
    child.status.then(async ({ code }) => {
      await Promise.all(this.#readers);
      const error = new Error(`the client process ended with ${code}\n${this.noise()}`);
      this.#firstLine.promise.catch(() => {});
      this.#firstLine.reject(error);
      for (const waiting of this.#pending.values()) waiting.reject(error);
      this.#pending.clear();
    });
  }

  /** Starts the program with the broker's address as its last argument. */
  static async start(
    command: string,
    args: readonly string[],
    bootstrap: string,
    options: { cwd?: string; env?: Record<string, string> } = {},
  ): Promise<Agent> {
    const child = new Deno.Command(command, {
      args: [...args, bootstrap],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).spawn();
    live.add(child);
    const agent = new Agent(child);
    agent.#ready = await agent.#firstLine.promise;
    return agent;
  }

  get about(): Ready {
    if (this.#ready === undefined) throw new Error("the agent is not ready");
    return this.#ready;
  }

  can(what: string): boolean {
    return this.about.can.includes(what);
  }

  /** One command. Rejects with AgentError when the client refuses, Error when it takes too long. */
  async call<C extends CommandName>(
    cmd: C,
    args: Commands[C][0],
    timeoutMs = 40_000,
  ): Promise<Commands[C][1]> {
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<unknown>();
    this.#pending.set(id, { ...waiting, cmd });
    const timer = setTimeout(() => {
      const late = `no answer to ${cmd} within ${timeoutMs} ms\n${this.noise()}`;
      waiting.reject(new Error(late));
    }, timeoutMs);
    try {
      await this.#stdin.write(new TextEncoder().encode(JSON.stringify({ id, cmd, args }) + "\n"));
      const result = await waiting.promise as Commands[C][1];
      if (LEARN_LATER && CHANGES.has(cmd)) await new Promise((resolve) => setTimeout(resolve, 400));
      return result;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** What the client wrote to standard error lately, for a failure's message. */
  noise(): string {
    return this.#noise.slice(-25).join("\n");
  }

  /** Ends the process; no error when it is gone already. */
  async stop(): Promise<void> {
    await this.#stdin.close().catch(() => {});
    const timer = setTimeout(() => kill(this.#child), 3000);
    await this.#child.status;
    clearTimeout(timer);
    live.delete(this.#child);
    await Promise.all(this.#readers);
  }

  #takeLine(line: string): void {
    if (!line.startsWith("{")) return this.#keepNoise(line);
    const message = JSON.parse(line);
    if (message.ready !== undefined) return this.#firstLine.resolve(message.ready);
    const waiting = this.#pending.get(message.id);
    if (waiting === undefined) return;
    if (message.error === undefined) return waiting.resolve(message.ok ?? null);
    const { code, name, message: text } = message.error;
    waiting.reject(new AgentError(code ?? null, String(name), String(text), waiting.cmd));
  }

  #keepNoise(line: string): void {
    this.#noise.push(line);
    if (this.#noise.length > 200) this.#noise.shift();
  }
}

const live = new Set<Deno.ChildProcess>();
globalThis.addEventListener("unload", () => {
  for (const child of live) kill(child);
});

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // gone already
  }
}

async function forEachLine(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  let rest: string[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) {
      take(rest.length === 0 ? line : rest.join("") + line);
      rest = [];
    }
    if (last !== "") rest.push(last);
  }
  if (rest.length > 0) take(rest.join(""));
}
