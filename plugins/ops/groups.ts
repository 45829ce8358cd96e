import type { z } from "zod";
import type { BrokerView } from "../../core/plugin/mod.ts";
import type { GroupDetail, Groups } from "./answers.ts";

export function listGroups(
  broker: BrokerView,
  limit: number,
  after: string,
): z.infer<typeof Groups> {
  const rest = broker.groups().filter(({ groupId }) => groupId > after);
  const page = rest.slice(0, limit);
  return {
    groups: page.map((group) => ({ ...group })),
    next: rest.length > page.length ? page.at(-1)?.groupId ?? after : null,
  };
}

/** Undefined where there is no such group. */
export async function describeGroup(
  broker: BrokerView,
  groupId: string,
): Promise<z.infer<typeof GroupDetail> | undefined> {
  const group = broker.group(groupId);
  if (group === undefined) return undefined;
  const memberDetails = broker.members(groupId).map((member) => ({ ...member }));
  const found = await broker.lag(groupId, Infinity);
  if (found === undefined) return { ...group, memberDetails, lag: null };
  const partitions = found.partitions.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1
  );
  const known = partitions.flatMap(({ lag }) => lag ?? []);
  const lag = {
    total: known.reduce((sum, each) => sum + each, 0),
    max: known.reduce((max, each) => Math.max(max, each), 0),
    partitions: partitions.map((partition) => ({ ...partition })),
  };
  return { ...group, memberDetails, lag };
}
