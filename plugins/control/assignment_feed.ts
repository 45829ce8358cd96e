/** Who leads what, as events: everything at first, then what has changed. */
import type { BrokerView, LeaderView } from "../../core/plugin/mod.ts";

/** Changes come in bursts; a look costs a glance at every partition. */
const LOOK_MS = 50;

export class AssignmentFeed {
  /** What was told last, by `topic/partition`. */
  #told = new Map<string, LeaderView>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #end: () => void;

  constructor(
    readonly broker: BrokerView,
    /** Tell only of what this broker leads, and loses. */
    readonly only: number | undefined,
    readonly tell: (event: object) => void,
  ) {
    this.#end = broker.onLeaders(() => {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, LOOK_MS);
    });
    this.#look();
  }

  stop(): void {
    this.#end();
    clearTimeout(this.#timer);
  }

  #look(): void {
    const now = new Map<string, LeaderView>();
    for (const each of this.broker.leaders()) {
      const key = `${each.topic}/${each.partition}`;
      now.set(key, each);
      const before = this.#told.get(key);
      const same = before?.leader === each.leader && before.leaderEpoch === each.leaderEpoch;
      if (!same && this.#concerns(before, each)) this.#event(each, statusOf(each));
    }
    for (const [key, gone] of this.#told) {
      if (!now.has(key) && this.#concerns(gone)) this.#event(gone, "deleted");
    }
    this.#told = now;
  }

  #concerns(...views: readonly (LeaderView | undefined)[]): boolean {
    return this.only === undefined || views.some((view) => view?.leader === this.only);
  }

  #event({ topic, partition, leader, leaderEpoch }: LeaderView, status: string): void {
    this.tell({
      partition: { topic, partition },
      broker_id: leader < 0 ? "" : String(leader),
      status,
      epoch: leaderEpoch,
    });
  }
}

function statusOf({ leader }: LeaderView): string {
  return leader < 0 ? "offline" : "assigned";
}
