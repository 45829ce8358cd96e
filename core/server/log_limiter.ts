import { LOG_LINE_INTERVAL_MS } from "../config/limits.ts";
import type { LogFields, Runtime } from "../runtime/mod.ts";

/**
 * Warnings that clients can cause as often as they like: one line of each kind per interval; what
 * was left out is counted in the next line's `suppressed`.
 */
export class LogLimiter {
  readonly #lastMs = new Map<string, number>();
  readonly #suppressed = new Map<string, number>();

  constructor(readonly runtime: Runtime) {}

  /** `message` is the kind: a constant, so that the map stays small. */
  warn(message: string, fields: LogFields): void {
    const now = this.runtime.clock.monotonicMs();
    const last = this.#lastMs.get(message);
    if (last !== undefined && now - last < LOG_LINE_INTERVAL_MS) {
      this.#suppressed.set(message, (this.#suppressed.get(message) ?? 0) + 1);
      return;
    }
    this.#lastMs.set(message, now);
    const suppressed = this.#suppressed.get(message) ?? 0;
    this.#suppressed.delete(message);
    this.runtime.log.warn(message, suppressed > 0 ? { ...fields, suppressed } : fields);
  }
}
