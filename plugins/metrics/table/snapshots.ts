/** Metadata snapshots; nothing on brokers that don't make them. Names are KafScale's own. */
import type { BackupStatus } from "../../../core/plugin/mod.ts";
import type { Metric } from "../metric.ts";

function ofSnapshots(
  name: string,
  help: string,
  value: (status: BackupStatus) => number | undefined,
): Metric {
  return {
    name: `kafscale_operator_etcd_snapshot_${name}`,
    type: "gauge",
    help,
    labels: ["cluster"],
    read: ({ broker: { backups, identity } }, out) => {
      const read = backups.status === null ? undefined : value(backups.status);
      if (read !== undefined) out.add(read, { cluster: identity.clusterId });
    },
  };
}

function ageMs({ newestMs }: BackupStatus): number | undefined {
  return newestMs === null ? undefined : Math.max(0, Date.now() - newestMs);
}

export const SNAPSHOT_METRICS: readonly Metric[] = [
  ofSnapshots(
    "access_ok",
    "1 while the bucket takes what the controller writes for metadata snapshots, else 0.",
    ({ accessOk }) => accessOk ? 1 : 0,
  ),
  ofSnapshots(
    "success",
    "1 once there is a metadata snapshot; 0 before.",
    ({ newestMs }) => newestMs === null ? 0 : 1,
  ),
  ofSnapshots(
    "age_seconds",
    "Age of the newest metadata snapshot.",
    (status) => {
      const age = ageMs(status);
      return age === undefined ? undefined : age / 1_000;
    },
  ),
  ofSnapshots(
    "stale",
    "1 while the newest metadata snapshot is older than the settings allow, else 0.",
    (status) => (ageMs(status) ?? 0) > status.staleAfterMs ? 1 : 0,
  ),
];
