/** A Runtime whose clock stands still until a test moves it; the log is kept. */
import { setImmediate } from "node:timers";
import type { LogFields, Network, Runtime } from "../../core/runtime/mod.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields | undefined;
}

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualRuntime implements Runtime {
  readonly lines: LogLine[] = [];
  #nowMs = 1_000;
  #due: Due[] = [];
  #seed = 1;

  constructor(readonly network: Network) {}

  readonly clock = { monotonicMs: () => this.#nowMs, wallMs: () => this.#nowMs };

  readonly timers = {
    after: (delayMs: number, run: () => void) => {
      const due = { atMs: this.#nowMs + delayMs, run };
      this.#due.push(due);
      return { cancel: () => void (this.#due = this.#due.filter((other) => other !== due)) };
    },
    soon: (run: () => void) => void setImmediate(run),
  };

  readonly random = {
    fill: (bytes: Uint8Array) => bytes.forEach((_, at) => bytes[at] = this.random.uint32() & 0xff),
    uint32: () => this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0,
  };

  readonly log = {
    debug: (message: string, fields?: LogFields) => this.#line("debug", message, fields),
    info: (message: string, fields?: LogFields) => this.#line("info", message, fields),
    warn: (message: string, fields?: LogFields) => this.#line("warn", message, fields),
    error: (message: string, fields?: LogFields) => this.#line("error", message, fields),
  };

  get pendingTimers(): number {
    return this.#due.length;
  }

  messages(level: LogLine["level"]): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }

  /** Moves the clock and runs what falls due, in order; lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#due.filter((due) => due.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((due) => due !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }

  #line(level: LogLine["level"], message: string, fields: LogFields | undefined): void {
    this.lines.push({ level, message, fields });
  }
}

/** Lets all promises that can settle do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
