/** Consumer groups and their lag. */
import type { Dashboard } from "./dashboard.ts";
import { quantiles, query, RATE } from "./queries.ts";

const GROUP_APIS = "JoinGroup|SyncGroup|Heartbeat|LeaveGroup|OffsetCommit|OffsetFetch";

export const GROUPS: Dashboard = {
  id: "kafscale-groups",
  title: "KafScale consumer groups",
  about: "Lag, members and rebalances.",
  rows: [
    {
      title: "Lag",
      panels: [
        {
          title: "Largest lag",
          about: "Of the partition furthest behind, of all groups.",
          unit: "short",
          queries: [query("max(kafscale_consumer_lag_max{@})", "records")],
        },
        {
          title: "Lag by group and topic",
          about: "The twenty furthest behind. What grows steadily will not be caught up.",
          unit: "short",
          width: 16,
          queries: [
            query(
              "topk(20, max by (group, topic) (kafscale_consumer_group_lag{@}))",
              "{{group}} {{topic}}",
            ),
          ],
        },
        {
          title: "Distribution of lag",
          about: "Over the partitions of all groups.",
          unit: "short",
          queries: quantiles("kafscale_consumer_lag"),
        },
        {
          title: "Lag in time",
          about:
            "The time that the producers of a topic took for what its groups have yet to read.",
          unit: "s",
          width: 16,
          queries: [
            query(
              "topk(20, max by (group, topic) (kafscale_consumer_group_lag{@}) / on (topic) " +
                "group_left () (sum by (topic) " +
                `(rate(kafscale_topic_produced_records_total{@}${RATE})) > 0))`,
              "{{group}} {{topic}}",
            ),
          ],
        },
      ],
    },
    {
      title: "Groups",
      panels: [
        {
          title: "Groups by state",
          about: "PreparingRebalance and CompletingRebalance should not last.",
          unit: "short",
          kind: "stack",
          queries: [query("sum by (state) (kafscale_consumer_groups{@})", "{{state}}")],
        },
        {
          title: "Members",
          about:
            "By group. What goes up and down all the time is a group that rebalances too often.",
          unit: "short",
          queries: [
            query(
              "topk(20, max by (group) (kafscale_consumer_group_members{@}))",
              "{{group}}",
            ),
          ],
        },
        {
          title: "Rebalances",
          about: "In ten minutes, by group.",
          unit: "short",
          queries: [
            query(
              "topk(20, max by (group) (changes(kafscale_consumer_group_generation{@}[10m])))",
              "{{group}}",
            ),
          ],
        },
        {
          title: "Requests of groups",
          about: "Joins, heartbeats and commits.",
          unit: "reqps",
          queries: [
            query(
              `sum by (api) (rate(kafscale_requests_total{@,api=~"${GROUP_APIS}"}${RATE}))`,
              "{{api}}",
            ),
          ],
        },
      ],
    },
  ],
};
