/**
 * The endpoints as one: calls go to the current channel; when it fails the next endpoint gets a
 * fresh channel, whose old one is closed with all its streams. Reads are repeated until the
 * time-out; a transaction is sent once, over a channel that has just answered, since its outcome
 * is unknown when no answer comes.
 */
import { MetadataError } from "../../../core/metadata/metadata_store.ts";
import { type Runtime, sleep } from "../../../core/runtime/mod.ts";
import { Channel, type Duplex, type Service } from "./channel.ts";
import {
  closedError,
  EtcdFault,
  faultOf,
  lostWritesError,
  metadataError,
  Status,
} from "./errors.ts";
import { ETCD_LIMITS, type EtcdSettings, type TlsFiles } from "./settings.ts";

/** The head of every answer. */
export interface Header {
  readonly revision: string;
}

export interface Answer {
  readonly header: Header;
}

/** A channel that answers one call and fails the next is not worth more than this. */
const PROBES_MAX = 5;

export interface ConnectionOptions {
  readonly settings: EtcdSettings;
  readonly tls: TlsFiles | undefined;
  readonly runtime: Runtime;
  /** A key that the user may read. */
  readonly probeKey: Uint8Array;
  /** etcd was replaced by an older copy of itself; the connection is closed by then. */
  onLost(error: MetadataError): void;
}

export class Connection {
  readonly #runtime: Runtime;
  readonly #settings: EtcdSettings;
  readonly #tls: TlsFiles | undefined;
  #at = 0;
  #channel: Channel;
  /** Since when nothing was answered; undefined while all is well. */
  #downSinceMs: number | undefined;
  /** The greatest revision that an answer told. */
  #revision = 0;
  /** Channels that are being closed. */
  readonly #givenUp = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #lost: MetadataError | undefined;
  readonly #onLost: (error: MetadataError) => void;
  /** A cheap read that only a member with a quorum can answer. */
  readonly #probe: unknown;

  constructor(o: ConnectionOptions) {
    this.#settings = o.settings;
    this.#tls = o.tls;
    this.#runtime = o.runtime;
    this.#onLost = o.onLost;
    this.#probe = { key: o.probeKey, count_only: true };
    this.#channel = this.#open();
  }

  /** Aborts when the store is closed or lost. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Why nothing works any more. */
  get reason(): MetadataError {
    return this.#lost ?? closedError();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#channel.close(), ...this.#givenUp]);
  }

  check(): void {
    if (this.#closing.signal.aborted) throw this.reason;
  }

  /**
   * A call that may be repeated: on every endpoint in turn until the time-out. Fails with a
   * MetadataError, or with the EtcdFault where etcd refused the request itself.
   */
  async read<T extends Answer>(service: Service, method: string, request: unknown): Promise<T> {
    const endMs = this.#nowMs() + this.#patienceMs();
    const before = this.#revision;
    for (let attempt = 0;; attempt++) {
      this.check();
      const channel = this.#channel;
      try {
        const leftMs = Math.max(1, endMs - this.#nowMs());
        const answer = await channel.call<T>(service, method, request, this.#attemptMs(leftMs));
        this.#answered(channel);
        // other services tell the revision that a member has got to, which may be behind
        if (service === "KV") this.#observe(before, answer.header);
        return answer;
      } catch (error) {
        if (!(error instanceof EtcdFault) || !error.passing) throw error;
        this.failed(channel, error);
        if (this.#nowMs() >= endMs) throw metadataError(error);
        await sleep(this.#runtime.timers, this.#pauseMs(attempt), this.closing);
      }
    }
  }

  /** A write that must not be repeated; a passing EtcdFault leaves its outcome open. */
  async once<T extends Answer>(method: string, request: unknown): Promise<T> {
    this.check();
    const before = this.#revision;
    for (let probes = 0; !this.#channel.proven && probes < PROBES_MAX; probes++) {
      await this.read("KV", "range", this.#probe);
    }
    const channel = this.#channel;
    try {
      const { timeoutMs } = this.#settings;
      const answer = await channel.call<T>("KV", method, request, timeoutMs);
      this.#answered(channel);
      this.#observe(before, answer.header);
      return answer;
    } catch (error) {
      if (error instanceof EtcdFault && error.passing) this.failed(channel, error);
      throw error;
    }
  }

  /** A stream on the current channel, which has answered `read` just now. */
  async stream(service: Service, method: string): Promise<{ duplex: Duplex; channel: Channel }> {
    const channel = this.#channel;
    const duplex = await channel.stream(service, method, this.#attemptMs(this.#settings.timeoutMs));
    return { duplex, channel };
  }

  /** One message there and one back, over a stream of its own; fails with an EtcdFault. */
  async roundTrip<T>(
    service: Service,
    method: string,
    request: unknown,
    timeoutMs: number,
  ): Promise<T> {
    this.check();
    const channel = this.#channel;
    const waitMs = this.#attemptMs(timeoutMs);
    let duplex: Duplex | undefined;
    let late = false;
    const timer = this.#runtime.timers.after(waitMs, () => {
      late = true;
      duplex?.cancel();
    });
    try {
      duplex = await channel.stream(service, method, waitMs);
      duplex.write(request);
      for await (const answer of duplex) {
        this.#answered(channel);
        return answer as T;
      }
      throw new EtcdFault(Status.UNAVAILABLE, "the stream ended", channel.endpoint);
    } catch (error) {
      const fault = late
        ? new EtcdFault(Status.DEADLINE_EXCEEDED, "no answer in time", channel.endpoint)
        : faultOf(error, channel.endpoint);
      if (fault.passing) this.failed(channel, fault);
      throw fault;
    } finally {
      timer.cancel();
      duplex?.cancel();
    }
  }

  /** Whether the channel answers a read that needs a quorum; gives it up if not. */
  async lives(channel: Channel): Promise<boolean> {
    const before = this.#revision;
    try {
      const waitMs = this.#attemptMs(this.#settings.timeoutMs);
      const answer = await channel.call<Answer>("KV", "range", this.#probe, waitMs);
      this.#answered(channel);
      this.#observe(before, answer.header);
      return true;
    } catch (error) {
      if (error instanceof EtcdFault && error.passing) this.failed(channel, error);
      return false;
    }
  }

  /** `channel` failed: unless another has taken its place already, the next endpoint does. */
  failed(channel: Channel, error: EtcdFault): void {
    if (channel !== this.#channel || this.closing.aborted) return;
    if (this.#downSinceMs === undefined) {
      this.#downSinceMs = this.#nowMs();
      this.#runtime.log.warn("etcd does not answer; trying again", {
        endpoint: channel.endpoint,
        error: error.message,
      });
    }
    const closed = channel.close().finally(() => this.#givenUp.delete(closed));
    this.#givenUp.add(closed);
    this.#at = (this.#at + 1) % this.#settings.endpoints.length;
    this.#channel = this.#open();
  }

  /**
   * Takes note of a linearizable answer. It is never older than what was known before the call:
   * if it is, etcd was replaced by an older copy, and nothing that is in memory can be trusted.
   */
  #observe(before: number, header: Header): void {
    const revision = Number(header.revision);
    this.#revision = Math.max(this.#revision, revision);
    if (this.#lost !== undefined) throw this.#lost;
    if (revision >= before) return;
    this.#lost = lostWritesError(before, revision);
    this.#onLost(this.#lost);
    void this.close();
    throw this.#lost;
  }

  #answered(channel: Channel): void {
    channel.proven = true;
    if (channel !== this.#channel || this.#downSinceMs === undefined) return;
    const awayMs = Math.round(this.#nowMs() - this.#downSinceMs);
    this.#runtime.log.info("etcd answers again", { endpoint: channel.endpoint, awayMs });
    this.#downSinceMs = undefined;
  }

  #open(): Channel {
    const { endpoints } = this.#settings;
    return new Channel(endpoints[this.#at]!, this.#settings, this.#tls, this.#runtime);
  }

  /** A whole time-out at first; the longer etcd is away, the sooner a call gives up. */
  #patienceMs(): number {
    const { timeoutMs } = this.#settings;
    if (this.#downSinceMs === undefined) return timeoutMs;
    const least = Math.min(timeoutMs, ETCD_LIMITS.outagePatienceMs);
    return Math.max(least, timeoutMs - (this.#nowMs() - this.#downSinceMs));
  }

  #attemptMs(leftMs: number): number {
    if (this.#settings.endpoints.length === 1) return leftMs;
    return Math.min(leftMs, ETCD_LIMITS.attemptMs);
  }

  /** Every endpoint is asked once without much ado; then they get time to come back. */
  #pauseMs(attempt: number): number {
    const rounds = Math.floor(attempt / this.#settings.endpoints.length);
    return Math.min(ETCD_LIMITS.pauseMaxMs, ETCD_LIMITS.pauseMinMs * 2 ** Math.min(rounds, 8));
  }

  #nowMs(): number {
    return this.#runtime.clock.monotonicMs();
  }
}
