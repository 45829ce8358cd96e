/**
 * Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches, so that its
 * requests name only what changed and responses only what is new.
 *
 *     request session id / epoch   meaning
 *     0 / 0                        full fetch, make a session
 *     0 or n / -1                  full fetch, no session (n is closed)
 *     n / 0                        full fetch, close n and make a new session
 *     n / e > 0                    incremental: FETCH_SESSION_ID_NOT_FOUND without n,
 *                                  INVALID_FETCH_SESSION_EPOCH when e is not the expected one
 */
import { FETCH_SESSION_IDLE_MS, FETCH_SESSION_PARTITIONS_MAX } from "../../config/limits.ts";
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import type { Runtime } from "../../runtime/mod.ts";

const INITIAL_EPOCH = 0;
const FINAL_EPOCH = -1;
const NO_SESSION = 0;
const INT32_MAX = 2 ** 31 - 1;
/** From this version on requests name topics by id (KIP-516). */
const TOPIC_IDS_SINCE = 13;

/** The part of a fetch request that sessions look at. */
export interface FetchAsk {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly topics: readonly FetchAskTopic[];
  readonly forgottenTopicsData: readonly {
    readonly topic: string;
    readonly topicId: string;
    readonly partitions: readonly number[];
  }[];
}

interface FetchAskTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: readonly FetchAskPartition[];
}

interface FetchAskPartition {
  readonly partition: number;
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: number;
  readonly lastFetchedEpoch: number;
  readonly partitionMaxBytes: number;
}

/** One partition that is fetched, and what the client was last told about it. */
export class FetchTarget {
  fetchOffset = 0;
  maxBytes = 0;
  currentLeaderEpoch = -1;
  lastFetchedEpoch = -1;
  #highWatermark = -1;
  #lastStableOffset = -1;
  #logStartOffset = -1;

  constructor(
    /** Name (before version 13) or id, as the client says it. */
    readonly topicKey: string,
    readonly partition: number,
  ) {}

  ask(asked: FetchAskPartition): void {
    this.fetchOffset = asked.fetchOffset;
    this.maxBytes = asked.partitionMaxBytes;
    this.currentLeaderEpoch = asked.currentLeaderEpoch;
    this.lastFetchedEpoch = asked.lastFetchedEpoch;
  }

  /** Whether an incremental response must name this partition; remembers what it then says. */
  note(outcome: FetchOutcome): boolean {
    const news = outcome.bytes > 0 || outcome.errorCode !== 0 || outcome.diverging ||
      outcome.referred ||
      outcome.highWatermark !== this.#highWatermark ||
      outcome.lastStableOffset !== this.#lastStableOffset ||
      outcome.logStartOffset !== this.#logStartOffset;
    // after an error the partition must be named again when the error goes away
    this.#highWatermark = outcome.errorCode === 0 ? outcome.highWatermark : -1;
    this.#lastStableOffset = outcome.lastStableOffset;
    this.#logStartOffset = outcome.logStartOffset;
    return news;
  }
}

/** What one fetch found in one partition, as far as sessions care. */
export interface FetchOutcome {
  readonly errorCode: ErrorCodeValue;
  readonly bytes: number;
  readonly diverging: boolean;
  /** It is to be read at another broker. */
  readonly referred: boolean;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
}

/** What to fetch for one request, and how its response refers to a session. */
export interface FetchPlan {
  /** In the order in which they are to be read. */
  readonly targets: readonly FetchTarget[];
  /**
   * To call once with the outcome of each target (same order) when the response is made: the
   * response's error and session id, and, by index, whether a target is named in it.
   */
  conclude(outcomes: readonly FetchOutcome[]): FetchConclusion;
}

export interface FetchConclusion {
  readonly errorCode: ErrorCodeValue;
  readonly sessionId: number;
  /** Undefined: all. */
  readonly named: readonly boolean[] | undefined;
}

class Session {
  /** The epoch that the next request must have. */
  epoch = 1;
  lastUsedMs: number;
  readonly #byTopic = new Map<string, Map<number, FetchTarget>>();
  /** In reading order: what had data goes to the end, so that each partition gets its turn. */
  readonly order = new Set<FetchTarget>();

  constructor(
    readonly id: number,
    readonly usesTopicIds: boolean,
    readonly createdMs: number,
  ) {
    this.lastUsedMs = createdMs;
  }

  put(target: FetchTarget): void {
    let partitions = this.#byTopic.get(target.topicKey);
    if (partitions === undefined) {
      this.#byTopic.set(target.topicKey, partitions = new Map<number, FetchTarget>());
    }
    partitions.set(target.partition, target);
    this.order.add(target);
  }

  get(topicKey: string, partition: number): FetchTarget | undefined {
    return this.#byTopic.get(topicKey)?.get(partition);
  }

  forget(topicKey: string, partition: number): void {
    const partitions = this.#byTopic.get(topicKey);
    const target = partitions?.get(partition);
    if (partitions === undefined || target === undefined) return;
    partitions.delete(partition);
    if (partitions.size === 0) this.#byTopic.delete(topicKey);
    this.order.delete(target);
  }

  rotate(target: FetchTarget): void {
    if (this.order.delete(target)) this.order.add(target);
  }
}

/**
 * All fetch sessions of this broker. At `capacity` a new one takes the place of one that has been
 * idle for two minutes, or of a smaller one that is older than two minutes; else the fetch is
 * served without a session.
 */
export class FetchSessions {
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>();
  #partitions = 0;

  constructor(
    readonly runtime: Runtime,
    readonly capacity: number,
    readonly partitionsMax = FETCH_SESSION_PARTITIONS_MAX,
  ) {}

  get size(): number {
    return this.#sessions.size;
  }

  /** Partitions in all sessions. */
  get partitions(): number {
    return this.#partitions;
  }

  /** What the request fetches, or the error that is its whole answer. */
  plan(ask: FetchAsk, version: number): FetchPlan | ErrorCodeValue {
    const byId = version >= TOPIC_IDS_SINCE;
    if (ask.sessionEpoch === INITIAL_EPOCH || ask.sessionEpoch === FINAL_EPOCH) {
      if (ask.sessionId !== NO_SESSION) this.#remove(this.#sessions.get(ask.sessionId));
      const targets = newTargets(ask, byId);
      if (ask.sessionEpoch === FINAL_EPOCH) return withoutSession(targets);
      return this.#fullPlan(targets, byId);
    }
    const session = this.#sessions.get(ask.sessionId);
    if (session === undefined) return ErrorCode.FETCH_SESSION_ID_NOT_FOUND;
    if (session.epoch !== ask.sessionEpoch) return ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    if (session.usesTopicIds !== byId) return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR;
    this.#update(session, ask);
    if (session.order.size === 0 || this.#partitions > this.partitionsMax) {
      const emptied = session.order.size === 0;
      this.#remove(session);
      return emptied ? withoutSession([]) : ErrorCode.FETCH_SESSION_ID_NOT_FOUND;
    }
    this.#touch(session);
    session.epoch = session.epoch === INT32_MAX ? 1 : session.epoch + 1;
    return this.#incrementalPlan(session);
  }

  /** The session comes to be with the response that tells its id. */
  #fullPlan(targets: FetchTarget[], usesTopicIds: boolean): FetchPlan {
    return {
      targets,
      conclude: (outcomes) => {
        const session = this.#create(targets.length, usesTopicIds);
        if (session !== undefined) {
          targets.forEach((target, index) => {
            session.put(target);
            target.note(outcomes[index]!);
          });
          targets.forEach((target, index) => {
            if (outcomes[index]!.bytes > 0) session.rotate(target);
          });
          this.#partitions += session.order.size;
        }
        return { errorCode: 0, sessionId: session?.id ?? NO_SESSION, named: undefined };
      },
    };
  }

  #incrementalPlan(session: Session): FetchPlan {
    const expectedEpoch = session.epoch;
    const targets = [...session.order];
    return {
      targets,
      conclude: (outcomes) => {
        if (session.epoch !== expectedEpoch) {
          return {
            errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH,
            sessionId: session.id,
            named: targets.map(() => false),
          };
        }
        const named = targets.map((target, index) => {
          const outcome = outcomes[index]!;
          if (outcome.bytes > 0) session.rotate(target);
          return target.note(outcome);
        });
        return { errorCode: 0, sessionId: session.id, named };
      },
    };
  }

  #update(session: Session, ask: FetchAsk): void {
    const before = session.order.size;
    for (const topic of ask.topics) {
      const key = session.usesTopicIds ? topic.topicId : topic.topic;
      for (const asked of topic.partitions) {
        let target = session.get(key, asked.partition);
        if (target === undefined) {
          session.put(target = new FetchTarget(key, asked.partition));
        }
        target.ask(asked);
      }
    }
    for (const topic of ask.forgottenTopicsData) {
      const key = session.usesTopicIds ? topic.topicId : topic.topic;
      for (const partition of topic.partitions) session.forget(key, partition);
    }
    this.#partitions += session.order.size - before;
  }

  #create(size: number, usesTopicIds: boolean): Session | undefined {
    if (size === 0 || this.capacity === 0) return undefined;
    if (this.#partitions + size > this.partitionsMax) return undefined;
    const nowMs = this.runtime.clock.monotonicMs();
    if (this.#sessions.size >= this.capacity && !this.#evict(size, nowMs)) return undefined;
    const session = new Session(this.#newId(), usesTopicIds, nowMs);
    this.#sessions.set(session.id, session);
    return session;
  }

  #evict(size: number, nowMs: number): boolean {
    for (const eldest of this.#sessions.values()) {
      if (nowMs - eldest.lastUsedMs <= FETCH_SESSION_IDLE_MS) break;
      this.#remove(eldest);
      return true;
    }
    let smallest: Session | undefined;
    for (const session of this.#sessions.values()) {
      if (nowMs - session.createdMs <= FETCH_SESSION_IDLE_MS) continue;
      if (smallest === undefined || session.order.size < smallest.order.size) smallest = session;
    }
    if (smallest === undefined || smallest.order.size >= size) return false;
    this.#remove(smallest);
    return true;
  }

  #touch(session: Session): void {
    session.lastUsedMs = this.runtime.clock.monotonicMs();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
  }

  #remove(session: Session | undefined): void {
    if (session === undefined || !this.#sessions.delete(session.id)) return;
    this.#partitions -= session.order.size;
    // a fetch of this session that is still in work must not conclude for it
    session.epoch = FINAL_EPOCH;
  }

  /** Random, so that a client cannot by chance go on with another's session after a restart. */
  #newId(): number {
    for (;;) {
      const id = this.runtime.random.uint32() >>> 1;
      if (id !== NO_SESSION && !this.#sessions.has(id)) return id;
    }
  }
}

function withoutSession(targets: readonly FetchTarget[]): FetchPlan {
  return {
    targets,
    conclude: () => ({ errorCode: 0, sessionId: NO_SESSION, named: undefined }),
  };
}

/** The targets of a full request; a partition that is named twice counts once, as it says last. */
function newTargets(ask: FetchAsk, byId: boolean): FetchTarget[] {
  const session = new Session(NO_SESSION, byId, 0);
  for (const topic of ask.topics) {
    const key = byId ? topic.topicId : topic.topic;
    for (const asked of topic.partitions) {
      let target = session.get(key, asked.partition);
      if (target === undefined) session.put(target = new FetchTarget(key, asked.partition));
      target.ask(asked);
    }
  }
  return [...session.order];
}
