/** Consumer groups and their lag. */
import { gauge, histogram, type Metric } from "../metric.ts";

export const GROUP_METRICS: readonly Metric[] = [
  histogram(
    "kafscale_consumer_lag",
    "Records that groups have yet to read, of every partition that they committed, each time " +
      "that it is looked at (every ten seconds at most): use rate() and histogram_quantile().",
    ({ lags }) => lags.distribution,
  ),
  gauge(
    "kafscale_consumer_lag_max",
    "Records that the partition furthest behind has yet to be read, of all groups.",
    ({ lags }) => lags.lagMax,
  ),
  {
    name: "kafscale_consumer_groups",
    type: "gauge",
    help: "Groups that this broker coordinates, by state.",
    labels: ["state"],
    read: ({ broker }, out) => {
      const states = new Map<string, number>([["Empty", 0], ["Stable", 0]]);
      for (const { state } of broker.groups()) states.set(state, (states.get(state) ?? 0) + 1);
      for (const [state, count] of states) out.add(count, { state });
    },
  },
  {
    name: "kafscale_consumer_group_members",
    type: "gauge",
    help: "Members of the group.",
    labels: ["group"],
    read: ({ broker, lags }, out) => {
      for (const { groupId, members } of broker.groups()) {
        if (lags.isChosen(groupId)) out.add(members, { group: groupId });
      }
    },
  },
  {
    name: "kafscale_consumer_group_generation",
    type: "gauge",
    help: "The group's generation; each rebalance raises it, so changes() counts rebalances.",
    labels: ["group"],
    read: ({ broker, lags }, out) => {
      for (const { groupId, generationId } of broker.groups()) {
        if (lags.isChosen(groupId)) out.add(generationId, { group: groupId });
      }
    },
  },
  {
    name: "kafscale_consumer_group_lag",
    type: "gauge",
    help: "Records of the topic that the group has yet to read, all partitions together.",
    labels: ["group", "topic"],
    read: ({ lags }, out) => {
      for (const [group, { lagByTopic }] of lags.chosen()) {
        for (const [topic, lag] of lagByTopic) out.add(lag, { group, topic });
      }
    },
  },
];
