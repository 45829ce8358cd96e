/**
 * Groups by shard: a group belongs to one shard for ever, and each shard has one coordinator
 * (docs/decisions/0008). Says which groups are served here, and loads those of a shard that came.
 */
import { crc32c, encodeUtf8 } from "../bytes/mod.ts";
import { COORDINATOR_SHARDS } from "../config/limits.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { StoredGroup } from "./stored_groups.ts";

export function shardOf(groupId: string): number {
  return crc32c(encodeUtf8(groupId)) % COORDINATOR_SHARDS;
}

export interface ShardHost {
  /** Every stored group, read now; empty once stopped. */
  load(): Promise<readonly StoredGroup[]>;
  restore(group: StoredGroup): void;
  /** The group is another coordinator's now. */
  drop(shard: number): void;
}

export class Shards {
  /** The shards that are led here; false while their groups are read. A new object each time. */
  readonly #led = new Map<number, { loaded: boolean }>();
  #loading: Promise<void> | undefined;

  constructor(readonly host: ShardHost) {}

  /** What a request for the group is answered with; NONE: serve it. */
  refusal(groupId: string): ErrorCodeValue {
    const shard = this.#led.get(shardOf(groupId));
    if (shard === undefined) return ErrorCode.NOT_COORDINATOR;
    return shard.loaded ? ErrorCode.NONE : ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
  }

  gained(shard: number): void {
    this.#led.set(shard, { loaded: false });
    this.#loading ??= this.#load().finally(() => this.#loading = undefined);
  }

  lost(shard: number): void {
    if (this.#led.delete(shard)) this.host.drop(shard);
  }

  /** Resolves when nothing is being read. */
  async idle(): Promise<void> {
    await this.#loading;
  }

  /** One listing for all shards that came before it; those that come meanwhile get another. */
  async #load(): Promise<void> {
    for (;;) {
      const wanted = [...this.#led].filter(([, state]) => !state.loaded);
      if (wanted.length === 0) return;
      const stored = await this.host.load();
      for (const [shard, state] of wanted) {
        if (this.#led.get(shard) !== state) continue;
        for (const group of stored) if (shardOf(group.groupId) === shard) this.host.restore(group);
        state.loaded = true;
      }
    }
  }
}
