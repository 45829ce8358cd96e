/**
 * Who an operator wants to lead: what Kafka's tools for reassignments and elections change and look
 * at. A preference stays until another replaces it; the controller makes it true as far as the
 * broker lives (docs/decisions/0008).
 */
import type { Placement } from "../handlers/rooms.ts";
import { METADATA_VIEW_WAIT_MS } from "../config/limits.ts";
import type { AssignmentWriter } from "../metadata/assignment_writer.ts";
import type { AssignmentView } from "../metadata/assignments.ts";
import { MetadataError } from "../metadata/metadata_store.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import type { Membership } from "./membership.ts";

const VIEW_LOOK_MS = 5;

export interface PreferencesOptions {
  readonly runtime: Runtime;
  readonly membership: Membership;
  readonly assignments: AssignmentView;
  readonly records: AssignmentWriter;
}

export class Preferences {
  constructor(readonly options: PreferencesOptions) {}

  /** Whether partitions may be moved to the broker. */
  canLead(brokerId: number): boolean {
    const found = this.options.membership.brokers().find((broker) => broker.brokerId === brokerId);
    return found !== undefined && !found.draining && !found.readOnly;
  }

  placement(topicId: string, partition: number): Placement {
    const { assignments, membership } = this.options;
    const record = assignments.partition(topicId, partition);
    if (record === undefined) return { ownerId: -1, preferredId: -1, movingTo: undefined };
    const { owner, preferred } = record;
    const ownerId = owner !== undefined && membership.isLive(owner) ? owner.brokerId : -1;
    const moving = preferred !== ownerId && this.canLead(preferred);
    return { ownerId, preferredId: preferred, movingTo: moving ? preferred : undefined };
  }

  /** See ClusterView. Resolves once this broker's own view has it. */
  async prefer(topicId: string, wanted: ReadonlyMap<number, number | null>): Promise<void> {
    const record = await this.options.records.change(topicId, (present) => {
      const next = present?.map((partition, at) => {
        const asked = wanted.get(at);
        if (asked === undefined) return partition;
        const preferred = asked ?? partition.owner?.brokerId;
        if (preferred === undefined) throw new MetadataError("retry", "the move is all but over");
        return preferred === partition.preferred ? partition : { ...partition, preferred };
      });
      return next?.some((partition, at) => partition !== present![at]) ? next : undefined;
    });
    for (const at of wanted.keys()) {
      if (record?.[at] !== undefined) continue;
      throw new MetadataError("retry", "the controller has not placed the partition yet");
    }
    const { runtime: { clock, timers }, assignments } = this.options;
    const endMs = clock.monotonicMs() + METADATA_VIEW_WAIT_MS;
    const seen = () =>
      [...wanted.keys()].every((at) =>
        assignments.partition(topicId, at)?.preferred === record![at]!.preferred
      );
    while (!seen() && clock.monotonicMs() < endMs) await sleep(timers, VIEW_LOOK_MS);
  }
}
