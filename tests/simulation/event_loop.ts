/**
 * The virtual event loop: one heap of events, one clock that jumps from event to event. After each
 * event all promise reactions run to the end (one real `setImmediate`), so the order of everything
 * is a function of the events alone.
 */
import { setImmediate } from "node:timers";
import { invariant, type Timer, type Timers } from "../../core/runtime/mod.ts";

interface ScheduledEvent {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class EventLoop implements Timers {
  readonly #heap: ScheduledEvent[] = [];
  #order = 0;
  #nowMs = 0;
  #ticks = 0;
  #running = false;

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get ticks(): number {
    return this.#ticks;
  }

  get pending(): number {
    return this.#heap.length;
  }

  after(delayMs: number, run: () => void): Timer {
    const event: ScheduledEvent = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      run,
    };
    this.#push(event);
    return { cancel: () => event.run = undefined };
  }

  soon(run: () => void): void {
    this.after(0, run);
  }

  /**
   * Runs events until `done` holds, none is left, the clock passes `untilMs`, or `ticksMax` events
   * have run; says which.
   */
  async run(
    untilMs: number,
    ticksMax: number,
    done: () => boolean = () => false,
  ): Promise<"done" | "idle" | "time" | "ticks"> {
    invariant(!this.#running, "the event loop runs already");
    this.#running = true;
    try {
      await settle();
      for (let ticks = 0; !done(); ticks++) {
        const next = this.#heap[0];
        if (next === undefined) return "idle";
        if (next.atMs > untilMs) {
          this.#nowMs = untilMs;
          return "time";
        }
        if (ticks >= ticksMax) return "ticks";
        this.#pop();
        const { run } = next;
        if (run === undefined) continue;
        next.run = undefined;
        this.#nowMs = next.atMs;
        this.#ticks++;
        run();
        await settle();
      }
      return "done";
    } finally {
      this.#running = false;
    }
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Resolves when no promise reaction is left to run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
