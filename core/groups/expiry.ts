/**
 * Drops, from time to time, offsets whose retention is over or whose topic is gone, and then groups
 * that have neither members nor offsets.
 */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { Runtime, Timer } from "../runtime/mod.ts";
import { retentionStartMs } from "./classic/membership.ts";
import type { GroupSettings, GroupTopics } from "./group_settings.ts";
import type { GroupEntry } from "./offset_requests.ts";
import type { GroupOffsets, OffsetId } from "./offsets.ts";

export interface ExpiryHost {
  readonly runtime: Runtime;
  readonly settings: GroupSettings;
  readonly topics: GroupTopics;
  groups(): Iterable<GroupEntry>;
  /** Stores the group as it is now. */
  save(entry: GroupEntry): Promise<ErrorCodeValue>;
  destroy(entry: GroupEntry): Promise<ErrorCodeValue>;
  /** Another coordinator has the group. */
  lost(entry: GroupEntry): void;
}

const MINUTE_MS = 60_000;

export class Expiry {
  #timer: Timer | undefined;
  #stopped = false;

  constructor(readonly host: ExpiryHost) {}

  start(): void {
    if (this.#stopped) return;
    const { runtime, settings } = this.host;
    this.#timer = runtime.timers.after(settings.offsetsRetentionCheckIntervalMs, async () => {
      await this.run();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** One pass over all groups, one after the other. */
  async run(): Promise<void> {
    for (const entry of [...this.host.groups()]) {
      if (this.#stopped) return;
      if (entry.group.state !== "Dead") await this.#check(entry);
    }
  }

  async #check(entry: GroupEntry): Promise<void> {
    const { group, ledger } = entry;
    if (group.state === "Empty" && ledger.stored?.generationId !== group.generationId) {
      // the store was away when the last member left
      if (ledger.stored !== undefined) await this.host.save(entry);
    }
    const { outcome, left } = await ledger.expire((offsets) => this.#expired(entry, offsets));
    if (outcome === "lost" && group.state !== "Dead") return this.host.lost(entry);
    if (outcome !== "done" || left > 0 || ledger.busy) return;
    if (group.state !== "Empty" || group.roster.pendingJoins.size > 0) return;
    if (await this.host.destroy(entry) === ErrorCode.NONE) return;
    this.host.runtime.log.warn("a group without members and offsets could not be deleted", {
      group: group.groupId,
    });
  }

  #expired({ group }: GroupEntry, offsets: GroupOffsets): OffsetId[] {
    const now = this.host.runtime.clock.wallMs();
    const retentionMs = this.host.settings.offsetsRetentionMinutes * MINUTE_MS;
    const expired: OffsetId[] = [];
    for (const { topic, partition, value } of offsets.entries()) {
      const deleted = this.host.topics.byName(topic)?.id !== value.topicId;
      const startMs = retentionStartMs(group, topic, value.committedAtMs);
      const over = startMs !== undefined && !group.roster.isSubscribedTo(topic) &&
        (value.expiresAtMs === null ? now - startMs >= retentionMs : now >= value.expiresAtMs);
      if (deleted || over) expired.push({ topic, partition });
    }
    return expired;
  }
}
