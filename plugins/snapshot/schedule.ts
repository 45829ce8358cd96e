import { Cron } from "croner";
import type { BrokerView, Log } from "../../core/plugin/mod.ts";
import type { SnapshotSettings } from "./plugin.ts";
import {
  createSnapshot,
  dropOldSnapshots,
  listSnapshots,
  type SnapshotPlace,
} from "./snapshots.ts";

/** The controller may change at any time, and others may make snapshots. */
const LOOK_MS = 15_000;
const LIST_EVERY = 20;

export interface ScheduleOptions {
  readonly broker: BrokerView;
  readonly settings: SnapshotSettings;
  readonly log: Log;
}

/** Makes snapshots when they are due, as long as this broker is the one to make them. */
export class SnapshotSchedule {
  readonly #cron: Cron;
  readonly #place: SnapshotPlace;
  #dueMs: number;
  /** Looks since this broker began to make them; 0: it does not. */
  #looks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(readonly options: ScheduleOptions) {
    const { broker: { backups }, settings: { schedule, prefix } } = options;
    this.#cron = new Cron(schedule, { timezone: "UTC", paused: true });
    this.#place = { store: backups.store, prefix, namespace: backups.namespace };
    this.#dueMs = this.#nextMs();
  }

  start(): void {
    this.#looking = this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    this.options.broker.backups.status = null;
  }

  #nextMs(): number {
    return this.#cron.nextRun()?.getTime() ?? Infinity;
  }

  async #look(): Promise<void> {
    const { log, broker: { backups } } = this.options;
    const due = Date.now() >= this.#dueMs;
    if (due) this.#dueMs = this.#nextMs();
    try {
      if (backups.mine) await this.#work(due);
      else {
        this.#looks = 0;
        backups.status = null;
      }
    } catch (error) {
      this.#note(false, backups.status?.newestMs ?? null);
      log.error("metadata snapshots cannot be written at the moment", { error });
    }
    if (this.#stopped) return;
    const waitMs = Math.max(0, Math.min(LOOK_MS, this.#dueMs - Date.now()));
    this.#timer = setTimeout(() => this.#looking = this.#look(), waitMs);
  }

  async #work(due: boolean): Promise<void> {
    const { log, settings, broker: { backups } } = this.options;
    if (this.#looks === 0) {
      await backups.prepare();
      if (settings.preflight) await this.#preflight();
    }
    if (this.#looks % LIST_EVERY === 0) {
      this.#note(true, (await listSnapshots(this.#place)).at(-1)?.createdMs ?? null);
    }
    this.#looks++;
    if (!due) return;
    const { key, size, createdMs } = await createSnapshot(this.#place, backups, Date.now());
    this.#note(true, createdMs);
    const deleted = await dropOldSnapshots(this.#place, settings.keep);
    log.info("made a metadata snapshot", { key, size, deleted: deleted.length });
  }

  /** Whether the bucket takes writes there, known before the first one is due. */
  async #preflight(): Promise<void> {
    const { store, prefix, namespace } = this.#place;
    const key = `${prefix}/${namespace}/preflight-${crypto.randomUUID()}`;
    await store.putIfAbsent(key, [new TextEncoder().encode("preflight")]);
    await store.delete([key]);
  }

  #note(accessOk: boolean, newestMs: number | null): void {
    const { broker: { backups }, settings: { staleAfterMs } } = this.options;
    backups.status = { accessOk, newestMs, staleAfterMs };
  }
}
