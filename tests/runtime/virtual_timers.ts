/** Timers that run when the test says so. */
import { setImmediate } from "node:timers";
import type { Timer, Timers } from "../../core/runtime/runtime.ts";

export class VirtualTimers implements Timers {
  nowMs = 0;
  #pending: { dueMs: number; run: () => void }[] = [];

  get pending(): number {
    return this.#pending.length;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry = { dueMs: this.nowMs + delayMs, run };
    this.#pending.push(entry);
    return { cancel: () => void (this.#pending = this.#pending.filter((each) => each !== entry)) };
  }

  soon(run: () => void): void {
    this.after(0, run);
  }

  /** Runs what falls due within the next `byMs`, in order, then lets promises settle. */
  async advance(byMs: number): Promise<void> {
    this.nowMs += byMs;
    const due = this.#pending.filter((each) => each.dueMs <= this.nowMs);
    this.#pending = this.#pending.filter((each) => each.dueMs > this.nowMs);
    due.sort((a, b) => a.dueMs - b.dueMs).forEach((each) => each.run());
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
