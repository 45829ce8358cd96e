/** A bucket that somebody copies to a second one, object by object, some time later. */
import type { Timers } from "../../core/runtime/mod.ts";
import { MemoryObjects } from "../../drivers/storage/memory/driver.ts";
import type { Prng } from "./prng.ts";

export class ReplicatedObjects extends MemoryObjects {
  /** Behind by up to `lagMs`; of one object's changes the newest wins. */
  readonly replica = new MemoryObjects();
  readonly #applied = new Map<string, number>();
  #changes = 0;

  constructor(
    readonly timers: Timers,
    readonly prng: Prng,
    /** Looked at for each change: 0 from the end of the faults on. */
    readonly lagMs: () => number,
    /** Whether deletions are copied; S3 leaves that to its user. */
    readonly deletes: boolean,
  ) {
    super();
  }

  override set(key: string, body: Uint8Array): void {
    super.set(key, body);
    this.#copy(key, () => this.replica.set(key, body));
  }

  override delete(key: string): boolean {
    if (this.deletes) this.#copy(key, () => this.replica.delete(key));
    return super.delete(key);
  }

  #copy(key: string, apply: () => void): void {
    const change = ++this.#changes;
    this.timers.after(this.prng.range(0, this.lagMs()), () => {
      if ((this.#applied.get(key) ?? 0) > change) return;
      this.#applied.set(key, change);
      apply();
    });
  }
}
