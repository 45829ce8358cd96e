/**
 * One run: a seed makes a plan, the plan makes a world; chaos for a while, then calm, in which all
 * must come to rest; then everything is read, twice, with a crash in between, and checked.
 */
import { CALM, MemoryObjects } from "../../drivers/storage/memory/driver.ts";
import { Admin } from "./actors/admin.ts";
import type { Actor, KnownTopic, Stage } from "./actors/actor.ts";
import { Auditor, Consumer } from "./actors/consumer.ts";
import { GroupMember } from "./actors/group_member.ts";
import { PlainProducer } from "./actors/plain_producer.ts";
import { IdempotentProducer } from "./actors/producer.ts";
import { Trimmer } from "./actors/trimmer.ts";
import { Brokers } from "./brokers.ts";
import { checkHistory } from "./checkers.ts";
import { scheduleClusterChaos } from "./cluster_chaos.ts";
import { clusterPlan } from "./cluster_plan.ts";
import { EventLoop } from "./event_loop.ts";
import { History } from "./history.ts";
import { ReplicatedObjects } from "./lagging_replica.ts";
import { type Plan, planOf, topologyOf } from "./plan.ts";
import { Prng } from "./prng.ts";
import type { Sabotage } from "./sabotage.ts";
import { CALM_NETWORK, SimNetwork } from "./sim_network.ts";
import { SimProcess } from "./sim_process.ts";
import { auditProblems } from "./store_audit.ts";

const TICKS_MAX = 1_500_000;
const REST_LIMIT_MS = 120_000;
const SWEEP_STEP_MS = 2_000;
const SWEEP_LIMIT_MS = 1_200_000;
/** What a run is to meet, by the line that a broker writes when it does. */
const MARKS = {
  merges: /debug merged segments /,
  resumedMerges: /debug merged segments .*"resumed":true/,
  logStartMoves: /debug moved the log start /,
  deletions: /info removed the objects of a deleted topic /,
  resumedDeletions: /info removed the objects of a deleted topic .*"resumed":true/,
  partitionOrphans: /info swept orphans of a partition /,
  walOrphans: /info swept orphans of the write-ahead log /,
  probeOrphans: /info swept orphans of start-up checks /,
  lateInDeleted: /info swept what was written after a topic's deletion /,
} as const;

export type Mark = keyof typeof MARKS;
/** On average. */
const STORE_AUDIT_EVERY_MS = 300;

export interface RunOptions {
  readonly seed: string;
  /** 1 if left out; 0: 3 to 5, as the seed says. */
  readonly brokers?: number;
  /** A fault planted into the brokers, to see that it is seen. */
  readonly sabotage?: Sabotage;
  /** Gets every line as it is written. */
  readonly onLine?: (line: string) => void;
  /** Changes what the seed decided: for bisecting a failure. */
  readonly adjust?: (plan: Plan) => Plan;
}

export interface RunResult {
  readonly seed: string;
  /** Broken invariants; empty where all is well. */
  readonly problems: readonly string[];
  /** Every line of the run, brokers' log lines included; a function of the seed. */
  readonly lines: readonly string[];
  readonly ticks: number;
  readonly virtualMs: number;
  readonly incarnations: number;
  readonly history: History;
  /** How often each mark was met. */
  readonly marks: Readonly<Record<Mark, number>>;
}

export async function simulate(options: RunOptions): Promise<RunResult> {
  const run = new Simulation(options);
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    run.unhandled(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  try {
    return await run.run();
  } finally {
    globalThis.removeEventListener("unhandledrejection", onRejection);
  }
}

type ActorKind<T> = new (name: string, stage: Stage, process: SimProcess, prng: Prng) => T;

class Simulation {
  readonly loop = new EventLoop();
  readonly history = new History();
  readonly lines: string[] = [];
  readonly prng: Prng;
  readonly plan: Plan;
  readonly network: SimNetwork;
  readonly objects: MemoryObjects;
  readonly brokers: Brokers;
  readonly stage: Stage;
  readonly #actors: Actor[] = [];
  #chaos = true;
  #audits = 0;

  constructor(readonly options: RunOptions) {
    this.prng = new Prng(options.seed);
    const { brokers = 1 } = options;
    const alone = planOf(this.prng.fork("plan"));
    const plan = brokers === 1 ? alone : clusterPlan(alone, this.prng.fork("cluster"), brokers);
    this.plan = options.adjust?.(plan) ?? plan;
    this.network = new SimNetwork(this.loop, this.prng.fork("network"), this.plan.network);
    const { replica } = this.plan;
    this.objects = replica === undefined ? new MemoryObjects() : new ReplicatedObjects(
      this.loop,
      this.prng.fork("replica"),
      () => replica.lagMaxMs,
      replica.copiesDeletions,
    );
    const note = (who: string, text: string) => this.#note(who, text);
    this.brokers = new Brokers({
      loop: this.loop,
      prng: this.prng.fork("host"),
      plan: this.plan,
      network: this.network,
      objects: this.objects,
      history: this.history,
      sabotage: options.sabotage,
      note,
    });
    this.stage = {
      network: this.network,
      history: this.history,
      topics: [],
      ports: this.brokers.ports,
      leadership: this.history.leadership,
      racks: this.plan.cluster?.racks === true,
      astrayChance: this.plan.cluster?.astrayChance ?? 0,
      closing: false,
      note,
      incarnationOf: (server) => this.brokers.incarnationOf(server),
    };
  }

  unhandled(reason: unknown): void {
    const text = reason instanceof Error ? reason.stack ?? reason.message : String(reason);
    this.history.problem(`unhandled rejection: ${text}`);
  }

  async run(): Promise<RunResult> {
    this.#note("world", topologyOf(this.plan));
    this.#note("plan", JSON.stringify(this.plan));
    this.brokers.start();
    this.#openStage();
    this.#scheduleChaos();
    this.#scheduleStoreAudits();
    await this.#until(this.plan.chaosMs, () => false);
    this.#endChaos();
    const rested =
      await this.#rest("clients", () => this.#actors.every((actor) => actor.finished)) &&
      await this.#rest("commits", () => !this.brokers.hosts.some((host) => host.committing));
    if (rested && await this.#restCluster() && await this.#audit("auditor-1")) {
      this.brokers.settled = this.plan.cluster === undefined;
      this.brokers.crashAtRest();
      this.#auditStore("after a crash at rest");
      if (await this.#audit("auditor-2")) this.#compareAudits();
      await this.#restCluster();
      // Of chains that older metadata did not know nobody knows who needs them (0011).
      if (this.plan.cluster?.restoreEveryMs === undefined) await this.#checkLeftovers();
      await this.#stopBrokers();
      this.#auditStore("after the stop", true);
    }
    return this.#result();
  }

  #note(who: string, text: string): void {
    const line = `${this.loop.nowMs.toFixed(3)} ${who} ${text}`;
    this.lines.push(line);
    this.options.onLine?.(line);
  }

  #actor<T extends Actor>(kind: ActorKind<T>, name: string): T {
    const process = new SimProcess(this.loop, name);
    const actor = new kind(name, this.stage, process, this.prng.fork(name));
    this.#actors.push(actor);
    return actor;
  }

  /** The store must be whole at any moment, so it is looked at now and then. */
  #scheduleStoreAudits(): void {
    const prng = this.prng.fork("store audits");
    const next = () =>
      this.loop.after(prng.range(0, 2 * STORE_AUDIT_EVERY_MS), () => {
        this.#auditStore("in between");
        if (this.#chaos) next();
      });
    next();
  }

  #auditStore(when: string, swept = false): void {
    if (this.brokers.restoring) return;
    const started = this.loop.ticks;
    this.brokers.audit().then((report) => {
      if (this.loop.ticks !== started) this.history.problem("a store audit took its time");
      const alone = this.plan.cluster === undefined;
      for (const each of auditProblems(report, swept, alone)) {
        this.history.problem(`${each} (${when})`);
      }
      this.#audits++;
    }, (error) => this.unhandled(error));
  }

  #openStage(): void {
    const { clients } = this.plan;
    const admin = this.#actor(Admin, "admin");
    admin.configs = { "file.delete.delay.ms": String(clients.fileDeleteDelayMs) };
    admin.churn = Array.from({ length: clients.churnTopics }, (_, at) => `churn-${at}`);
    const names = Array.from({ length: clients.stableTopics }, (_, at) => `stable-${at}`);
    const make = async () => {
      for (const name of names) {
        const trim = name === names.at(-1) ? clients.trim : undefined;
        await admin.create({ name, partitionCount: clients.partitions, stable: true, trim });
      }
      admin.start();
      for (let at = 0; at < clients.members; at++) this.#member(at, this.stage.topics[0]!);
    };
    make().catch((error) => this.unhandled(error));
    const start = (kind: ActorKind<Actor>, name: string) => this.#actor(kind, name).start();
    for (let at = 0; at < clients.idempotent; at++) start(IdempotentProducer, `idem-${at}`);
    for (let at = 0; at < clients.plain; at++) start(PlainProducer, `plain-${at}`);
    for (let at = 0; at < clients.consumers; at++) start(Consumer, `reader-${at}`);
    if (clients.trim !== undefined) start(Trimmer, "trimmer");
  }

  #member(at: number, topic: KnownTopic): void {
    const member = this.#actor(GroupMember, `member-${at}`);
    member.group = "group";
    member.topic = topic;
    member.start();
  }

  #scheduleChaos(): void {
    const prng = this.prng.fork("chaos");
    const { plan, brokers, loop } = this;
    const repeat = (everyMs: number, run: () => void) => {
      if (everyMs === Infinity) return;
      loop.after(prng.range(0, 2 * everyMs), () => {
        if (!this.#chaos) return;
        run();
        repeat(everyMs, run);
      });
    };
    repeat(plan.crashEveryMs, () => brokers.any().crash());
    repeat(plan.stopEveryMs, () => void brokers.any().stop());
    repeat(plan.pauseEveryMs, () => brokers.any().pause(prng.range(1, 1_500)));
    repeat(plan.metadataOutageEveryMs, () => brokers.any().cutMetadata(prng.range(10, 2_000)));
    repeat(plan.storeOutageEveryMs, () => brokers.any().cutStore(prng));
    repeat(
      plan.wallJumpEveryMs,
      () => brokers.any().process?.jumpWall(prng.range(-5_000, 60_000)),
    );
    repeat(plan.resetEveryMs, () => {
      const links = [...this.network.links];
      if (links.length > 0) prng.pick(links).reset();
    });
    if (plan.cluster === undefined) return;
    const note = (who: string, text: string) => this.#note(who, text);
    const failed = (error: unknown) => this.unhandled(error);
    const own = this.prng.fork("cluster chaos");
    scheduleClusterChaos({ brokers, weather: plan.cluster, loop, prng: own, note, repeat, failed });
  }

  #endChaos(): void {
    this.#note("world", "the faults end");
    this.#chaos = false;
    this.brokers.endFaults();
    if (this.plan.replica !== undefined) Object.assign(this.plan.replica.faults, CALM);
    Object.assign(this.plan.network, CALM_NETWORK);
    this.plan.metadata.failBeforeChance = 0;
    this.plan.metadata.failAfterChance = 0;
    if (this.plan.cluster !== undefined) {
      this.brokers.prefer("none").catch((error) => this.unhandled(error));
    }
    this.stage.closing = true;
  }

  async #until(forMs: number, done: () => boolean): Promise<boolean> {
    const end = await this.loop.run(this.loop.nowMs + forMs, TICKS_MAX - this.loop.ticks, done);
    if (end === "ticks") this.history.problem(`more than ${TICKS_MAX} events: something spins`);
    return end === "done";
  }

  async #rest(what: string, done: () => boolean): Promise<boolean> {
    if (await this.#until(REST_LIMIT_MS, done)) return true;
    const awake = this.#actors.filter((actor) => !actor.finished).map((actor) => actor.name);
    this.history.problem(`${what} did not come to rest: ${awake.join(", ")}`);
    return false;
  }

  /** Every partition is led by whom it should, and no chain is needed for what others lead. */
  async #restCluster(): Promise<boolean> {
    if (await this.#until(REST_LIMIT_MS, () => this.brokers.unsettled().length === 0)) {
      this.brokers.settled = true;
      return true;
    }
    for (const each of this.brokers.unsettled().slice(0, 10)) {
      this.history.problem(`the cluster does not come to rest: ${each}`);
    }
    return false;
  }

  async #audit(name: string): Promise<boolean> {
    const auditor = this.#actor(Auditor, name);
    auditor.start();
    return await this.#rest(name, () => auditor.finished);
  }

  /** I2, I11: a crash at rest changes nothing. The second reading is the truth of the run. */
  #compareAudits(): void {
    const { finals } = this.history;
    const again = Map.groupBy(finals, ({ topicId, partition }) => `${topicId}/${partition}`);
    for (const [a, b] of again.values()) {
      if (a === undefined || b === undefined) continue;
      finals.splice(finals.indexOf(a), 1);
      // Retention may go on at rest.
      const records = a.records.filter(({ offset }) => offset >= b.logStartOffset);
      if (a.highWatermark !== b.highWatermark || records.length !== b.records.length) {
        this.history.problem(
          `I1/I2: ${a.topicId}/${a.partition} had ${records.length} records below ` +
            `${a.highWatermark} and, after a crash at rest, ${b.records.length} below ` +
            b.highWatermark,
        );
      }
      for (const record of records) {
        const now = b.records[record.offset - b.logStartOffset];
        if (now?.offset !== record.offset || now.value !== record.value) {
          this.history.problem(`I2: ${a.topicId}/${a.partition} ${record.offset} changed at rest`);
          break;
        }
      }
    }
  }

  /**
   * Everything has its time: deletions a delay, orphans two sweeps; a broker's clock may have been
   * ahead when it noted one.
   */
  async #checkLeftovers(): Promise<void> {
    let left: string[] = [];
    for (let waitedMs = 0; waitedMs < SWEEP_LIMIT_MS; waitedMs += SWEEP_STEP_MS) {
      await this.#until(SWEEP_STEP_MS, () => false);
      left = await this.brokers.leftovers();
      if (left.length === 0) return;
    }
    for (const each of left) this.history.problem(`left for ever: ${each}`);
  }

  async #stopBrokers(): Promise<void> {
    let stopped = false;
    void this.brokers.stopAll().then(() => stopped = true);
    await this.#rest("the brokers' stop", () => stopped);
  }

  #result(): RunResult {
    const problems = checkHistory(this.history);
    for (const problem of problems) this.#note("PROBLEM", problem);
    const { history } = this;
    const acked = history.produced.filter((call) => call.outcome === "acked").length;
    this.#note(
      "summary",
      `${this.loop.ticks} events, ${this.brokers.incarnations} incarnations, ` +
        `${history.produced.length} batches (${acked} acknowledged), ` +
        `${history.observed.length} reads, ${history.topics.length} topic changes, ` +
        `${history.offsets.length} offset calls, ${this.objects.size} objects, ` +
        `${this.#audits} store audits`,
    );
    return {
      seed: this.options.seed,
      problems,
      lines: this.lines,
      ticks: this.loop.ticks,
      virtualMs: this.loop.nowMs,
      incarnations: this.brokers.incarnations,
      history,
      marks: this.#marks(),
    };
  }

  #marks(): Record<Mark, number> {
    const met = (mark: Mark) => this.lines.filter((line) => MARKS[mark].test(line)).length;
    const names = Object.keys(MARKS) as Mark[];
    return Object.fromEntries(names.map((mark) => [mark, met(mark)])) as Record<Mark, number>;
  }
}
