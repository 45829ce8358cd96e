/**
 * Whether a replica is asked at all.
 *
 * | state | event | next |
 * |---|---|---|
 * | asked | `failures` failures in a row | resting |
 * | resting | the rest is over, and somebody reads | on trial: that one read asks it |
 * | on trial | answered | asked |
 * | on trial | failed | resting, twice as long |
 * | on trial | given up by its reader | resting, and over at once |
 */
import type { Runtime } from "../../../core/runtime/mod.ts";
import type { ReplicaLimits } from "./settings.ts";

export class Breaker {
  #state: "asked" | "resting" | "on trial" = "asked";
  #failures = 0;
  #rests = 0;
  #restUntilMs = 0;

  constructor(readonly runtime: Runtime, readonly limits: ReplicaLimits) {}

  /** Whether this read asks the replica; then one of the other three must follow. */
  ask(): boolean {
    if (this.#state === "asked") return true;
    const over = this.runtime.clock.monotonicMs() >= this.#restUntilMs;
    if (this.#state === "on trial" || !over) return false;
    this.#state = "on trial";
    return true;
  }

  answered(): void {
    this.#failures = 0;
    // An answer to a read from before the rest proves nothing.
    if (this.#state !== "on trial") return;
    this.#state = "asked";
    this.#rests = 0;
    this.runtime.log.info("the read replica answers again");
  }

  failed(error: Error): void {
    this.#failures++;
    if (this.#state === "asked" && this.#failures < this.limits.failures) return;
    if (this.#state === "resting") return;
    const { clock, random, log } = this.runtime;
    const { restMinMs, restMaxMs } = this.limits;
    const wholeMs = Math.min(restMaxMs, restMinMs * 2 ** Math.min(this.#rests, 20));
    const restMs = wholeMs * (0.5 + random.uint32() / 2 ** 33);
    this.#state = "resting";
    this.#restUntilMs = clock.monotonicMs() + restMs;
    if (this.#rests++ > 0) return;
    log.warn("the read replica fails and is left alone for a while; the primary is read", {
      error: error.message,
    });
  }

  /** Nothing is known: its reader did not wait for the answer. */
  dropped(): void {
    if (this.#state === "on trial") this.#state = "resting";
  }
}
