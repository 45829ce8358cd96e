import { FOLLOW_PAUSE_MAX_MS } from "../config/limits.ts";
import { sleep } from "../runtime/sleep.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { backoffMs } from "../storage/retry.ts";
import type { FollowedChain } from "./followed_chain.ts";

export interface ChainFeedOptions {
  readonly runtime: Runtime;
  readonly reader: FollowedChain;
  /** Between two looks at a chain that grows. */
  readonly paceMs: number;
  /** Whether somebody reads here what the chain brings. */
  readonly wanted: () => boolean;
  /** The chain has brought something, or ended. */
  readonly grew: () => void;
  readonly signal: AbortSignal;
}

/**
 * Keeps a chain read to its end while somebody wants that, at a pace that bounds the requests: one
 * after another while there is more; the pace, doubling up to FOLLOW_PAUSE_MAX_MS, while there is
 * not; none while nobody wants it.
 */
export class ChainFeed {
  #looping = false;
  #advancing: Promise<boolean> | undefined;

  constructor(readonly options: ChainFeedOptions) {}

  get reader(): FollowedChain {
    return this.options.reader;
  }

  /** Somebody wants it now. */
  poke(): void {
    if (this.#looping || this.reader.sealed) return;
    this.#looping = true;
    void this.#loop().finally(() => this.#looping = false);
  }

  /**
   * Reads to about the end as it is now, and not after one that moves on; StoreErrors pass through.
   */
  async toEnd(): Promise<void> {
    while (await this.#advance() && this.reader.far);
  }

  #advance(): Promise<boolean> {
    this.#advancing ??= this.reader.advance().finally(() => this.#advancing = undefined);
    return this.#advancing;
  }

  async #loop(): Promise<void> {
    const { runtime, paceMs, wanted, grew, signal } = this.options;
    let pauseMs = paceMs;
    let failures = 0;
    while (!signal.aborted && wanted()) {
      try {
        if (await this.#advance()) {
          pauseMs = paceMs;
          failures = 0;
          grew();
          if (this.reader.sealed) return;
          continue;
        }
        failures = 0;
      } catch (error) {
        // Said once, by the store's health; readers wait, or are told when they read.
        runtime.log.debug("a chain cannot be followed at the moment", { error });
        await sleep(runtime.timers, backoffMs(runtime, ++failures), signal);
        continue;
      }
      await sleep(runtime.timers, pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, Math.max(paceMs, FOLLOW_PAUSE_MAX_MS));
    }
    this.reader.rest();
  }
}
