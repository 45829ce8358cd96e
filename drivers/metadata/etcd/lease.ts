/**
 * Leases on etcd. Each is renewed three times in its time to live by a short stream of its own, so
 * that a paused process, a lost member and an outage all come down to the same: a renewal that
 * fails is tried again, one that etcd denies is the loss, and so is a time to live without one.
 */
import type { Lease } from "../../../core/metadata/metadata_store.ts";
import { deferred, type Runtime, sleep } from "../../../core/runtime/mod.ts";
import type { Connection } from "./connection.ts";
import { EtcdFault, faultOf, metadataError, Status } from "./errors.ts";
import type { LeaseAnswer } from "./messages.ts";
import { ETCD_LIMITS } from "./settings.ts";

export class EtcdLease implements Lease {
  alive = true;
  readonly #ended = new AbortController();
  readonly #lost = deferred<void>();
  #revoked: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;

  constructor(
    readonly id: string,
    readonly ttlMs: number,
    private readonly connection: Connection,
    private readonly runtime: Runtime,
  ) {}

  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** Renews it until it ends; `grantedMs` is when it was asked for, on the monotonic clock. */
  keepAlive(grantedMs: number): void {
    this.#renewing = this.#renew(grantedMs);
  }

  revoke(): Promise<void> {
    return this.#revoked ??= this.#revoke();
  }

  /** It is gone, or the store is. */
  end(): void {
    this.alive = false;
    this.#ended.abort();
    this.#lost.resolve();
  }

  /** Resolves when nothing of it is under way any more. */
  async settled(): Promise<void> {
    await this.#renewing;
  }

  async #revoke(): Promise<void> {
    const wasAlive = this.alive;
    this.alive = false;
    this.#ended.abort();
    try {
      if (wasAlive) await this.connection.read("Lease", "leaseRevoke", { ID: this.id });
    } catch (error) {
      // gone already, or it runs out by itself, since nobody renews it any more
      if (!(error instanceof EtcdFault) || error.code === Status.NOT_FOUND) return;
      throw metadataError(error);
    } finally {
      this.end();
    }
  }

  async #renew(grantedMs: number): Promise<void> {
    const { signal } = this.#ended;
    const { clock, timers, log } = this.runtime;
    let renewedMs = grantedMs;
    let pauseMs = this.ttlMs / 3;
    while (!signal.aborted) {
      await sleep(timers, pauseMs, signal);
      if (signal.aborted) return;
      const askedMs = clock.monotonicMs();
      // so that a member that hangs leaves time to ask another one
      const renewed = await this.#ask(Math.max(this.ttlMs / 3, ETCD_LIMITS.pauseMaxMs));
      if (signal.aborted) return;
      if (renewed === true) {
        renewedMs = askedMs;
        pauseMs = this.ttlMs / 3;
        continue;
      }
      if (renewed === false || clock.monotonicMs() - renewedMs >= this.ttlMs) {
        log.warn("a lease in etcd is lost", {
          lease: this.id,
          reason: renewed === false ? "it ran out" : "it could not be renewed in time",
        });
        return this.end();
      }
      pauseMs = Math.min(this.ttlMs / 10, ETCD_LIMITS.pauseMaxMs);
    }
  }

  /** Whether etcd renewed the lease; undefined: not known. */
  async #ask(timeoutMs: number): Promise<boolean | undefined> {
    try {
      const answer = await this.connection.roundTrip<LeaseAnswer>(
        "Lease",
        "leaseKeepAlive",
        { ID: this.id },
        timeoutMs,
      );
      return Number(answer.TTL) > 0;
    } catch (error) {
      if (faultOf(error, "").code === Status.NOT_FOUND) return false;
      return undefined;
    }
  }
}
