/**
 * One process of the simulation, such as one incarnation of a broker: what it does outside of
 * itself passes here, so it can be killed between any two such steps, paused, and have a clock of
 * its own. Once dead nothing it started is ever delivered to it, and nothing it still does has an
 * effect.
 */
import type { Clock, Timer, Timers } from "../../core/runtime/mod.ts";
import type { EventLoop } from "./event_loop.ts";

/** 2025-01-01, so that record timestamps look like some. */
const WALL_ORIGIN_MS = 1_735_689_600_000;

export class SimProcess {
  #alive = true;
  #pausedUntilMs = 0;
  /** Steps until it dies; Infinity: no fuse burns. */
  #fuse = Infinity;
  #wallJumpMs = 0;
  readonly #onDeath: (() => void)[] = [];
  /** Steps that it took outside of itself. */
  steps = 0;

  constructor(readonly loop: EventLoop, readonly name: string) {}

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#pausedUntilMs > this.loop.nowMs;
  }

  readonly clock: Clock = {
    monotonicMs: () => this.loop.nowMs,
    wallMs: () => WALL_ORIGIN_MS + this.loop.nowMs + this.#wallJumpMs,
  };

  readonly timers: Timers = {
    after: (delayMs, run) => this.#after(delayMs, run),
    soon: (run) => void this.#after(0, run),
  };

  /** Its wall clock goes forward or back. */
  jumpWall(byMs: number): void {
    this.#wallJumpMs += byMs;
  }

  /** Dies at the `steps`-th step from now: before that step has an effect. */
  lightFuse(steps: number): void {
    this.#fuse = steps;
  }

  /** The faults have ended, and no step came to it. */
  putOutFuse(): void {
    this.#fuse = Infinity;
  }

  /** Nothing is delivered to it until then; what it sent before goes on. */
  pause(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }

  onDeath(run: () => void): void {
    this.#onDeath.push(run);
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const run of this.#onDeath) run();
  }

  /** To be asked before every effect outside of the process; false: there is no such process. */
  step(): boolean {
    if (!this.#alive) return false;
    this.steps++;
    if (--this.#fuse > 0) return true;
    this.kill();
    return false;
  }

  /** A step whose result is delivered to the living only. */
  call<T>(effect: () => Promise<T>): Promise<T> {
    if (!this.step()) return never();
    return new Promise((resolve, reject) => {
      effect().then(
        (value) => this.deliver(() => resolve(value)),
        (error) => this.deliver(() => reject(error)),
      );
    });
  }

  /** Runs `run` now, or when a pause ends, or never. */
  deliver(run: () => void): void {
    if (!this.#alive) return;
    if (!this.paused) return run();
    this.loop.after(this.#pausedUntilMs - this.loop.nowMs, () => this.deliver(run));
  }

  #after(delayMs: number, run: () => void): Timer {
    if (!this.#alive) return { cancel: () => {} };
    let cancelled = false;
    const timer = this.loop.after(delayMs, () => this.deliver(() => cancelled || run()));
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }
}

export function never<T>(): Promise<T> {
  return new Promise(() => {});
}
