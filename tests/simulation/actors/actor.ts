/** What every simulated client has: a process, a connection that it makes again, a history. */
import { ErrorCode } from "../../../core/protocol/errors.ts";
import type { Api, Loose } from "../../../core/protocol/api.ts";
import { sleep } from "../../../core/runtime/mod.ts";
import type { History } from "../history.ts";
import type { Prng } from "../prng.ts";
import type { SimNetwork } from "../sim_network.ts";
import type { SimProcess } from "../sim_process.ts";
import type { Leadership } from "../leadership.ts";
import { Unanswered, Wire } from "../wire.ts";
import { ANY, type Destination, Routes } from "./routes.ts";

/** A topic that clients use; admins add and take away. */
export interface KnownTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitionCount: number;
  /** Somebody has asked for its deletion. */
  doomed: boolean;
  /** Never deleted, so it may be used by name. */
  readonly stable: boolean;
  /** Retention or DeleteRecords may take its front away. */
  readonly trimmed: boolean;
}

/** What the actors of one run share. */
export interface Stage {
  readonly network: SimNetwork;
  readonly history: History;
  readonly topics: KnownTopic[];
  /** Where brokers listen. */
  readonly ports: readonly number[];
  /** Of several brokers; undefined where one leads everything. */
  readonly leadership: Leadership | undefined;
  /** Brokers serve reads of what others lead. */
  readonly racks: boolean;
  /** How often a client asks any broker in the place of the right one. */
  readonly astrayChance: number;
  /** Set when actors shall finish what they are at and end. */
  closing: boolean;
  note(who: string, text: string): void;
  /** Number of a broker process among the incarnations. */
  incarnationOf(server: SimProcess): number;
}

/** Answers that leave it open whether something happened, and ask to try again. */
const RETRIABLE: ReadonlySet<number> = new Set([
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ErrorCode.INVALID_FETCH_SESSION_EPOCH,
]);

export function isRetriable(code: number): boolean {
  return RETRIABLE.has(code);
}

/** Answers for a topic that is not there, or not yet known to be there. */
export function isTopicGone(code: number): boolean {
  return code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || code === ErrorCode.UNKNOWN_TOPIC_ID ||
    code === ErrorCode.INCONSISTENT_TOPIC_ID;
}

export abstract class Actor {
  readonly #wires = new Map<number, Wire>();
  readonly #routes: Routes;
  /** Used last. */
  #wire: Wire | undefined;
  finished = false;

  constructor(
    readonly name: string,
    readonly stage: Stage,
    readonly process: SimProcess,
    readonly prng: Prng,
  ) {
    const open = (port: number) => this.#open(port);
    this.#routes = new Routes(stage.ports, stage.astrayChance, prng.fork("routes"), open);
  }

  /** Its whole life; ends some time after the stage closes. */
  protected abstract act(): Promise<void>;

  start(): void {
    this.act().catch((error) => {
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      this.stage.history.problem(`${this.name} failed: ${text}`);
    }).finally(() => {
      this.finished = true;
      for (const wire of this.#wires.values()) wire.close();
    });
  }

  get wire(): Wire | undefined {
    return this.#wire;
  }

  pause(lowMs: number, highMs: number): Promise<void> {
    return sleep(this.process.timers, this.prng.range(lowMs, highMs));
  }

  /** An open connection; it tries until there is one. */
  async connected(to: Destination = ANY): Promise<Wire> {
    for (;;) {
      const port = await this.#routes.port(to);
      const wire = port === undefined ? undefined : await this.#open(port);
      if (wire !== undefined) return this.#wire = wire;
      this.#routes.forget(to);
      await this.pause(5, 100);
    }
  }

  async #open(port: number): Promise<Wire | undefined> {
    const known = this.#wires.get(port);
    if (known?.open) return known;
    const wire = await Wire.open(this.process, this.stage.network, port);
    if (wire !== undefined) this.#wires.set(port, wire);
    return wire;
  }

  /** Whoever was asked last was the wrong one: look where to ask again. */
  reroute(to: Destination): void {
    this.#routes.forget(to);
  }

  disconnect(): void {
    this.#wire?.close();
  }

  /** The answer, or undefined where there was none. */
  async ask<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    body: Loose<Request>,
    timeoutMs = 2_000,
    to: Destination = ANY,
  ): Promise<Response | undefined> {
    const wire = await this.connected(to);
    try {
      return await wire.request(api, version, body, timeoutMs);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.reroute(to);
      return undefined;
    }
  }

  /** A version that the broker must serve. */
  version(api: Api<unknown, unknown>, atLeast = 0): number {
    return this.prng.between(Math.max(api.minVersion, atLeast), api.maxVersion);
  }

  /** A well-formed request must not be answered like this. */
  unexpected(what: string, code: number): void {
    this.stage.history.problem(`${this.name}: ${what} was answered with error ${code}`);
  }
}
