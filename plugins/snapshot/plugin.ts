/**
 * snapshot: copies of the cluster's metadata in the bucket, on a schedule; the controller alone
 * makes them. Taking one by hand and putting one back is `kafscale snapshot`.
 * Invariant: a snapshot is never overwritten; old ones go after a newer one is there.
 * Upstream: config, metadata (its format), storage, plugin, croner, zod. Downstream: cli, ops.
 * May import: core's stored rooms, core/plugin, croner, zod.
 * @module
 */
import { Cron } from "croner";
import { z } from "zod";
import type { Plugin } from "../../core/plugin/mod.ts";
import { SnapshotSchedule } from "./schedule.ts";

const settings = z.object({
  schedule: z.string().refine((text) => cronFault(text) === undefined, {
    error: ({ input }) =>
      `KAFSCALE_OPERATOR_ETCD_SNAPSHOT_SCHEDULE is no cron expression (${cronFault(input)})`,
  }),
  prefix: z.string(),
  keep: z.int().min(1),
  staleAfterMs: z.number(),
  preflight: z.boolean(),
});

export type SnapshotSettings = z.infer<typeof settings>;

export const plugin: Plugin<SnapshotSettings> = {
  name: "snapshot",
  settings,
  start: (broker, settings, { log }) => {
    const schedule = new SnapshotSchedule({ broker, settings, log });
    schedule.start();
    return Promise.resolve({ stop: () => schedule.stop() });
  },
};

function cronFault(text: unknown): string | undefined {
  try {
    new Cron(String(text), { paused: true });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
