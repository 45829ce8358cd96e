/** What the object store costs. */
import type { Dashboard } from "./dashboard.ts";
import { number, query, RATE } from "./queries.ts";

export const COST: Dashboard = {
  id: "kafscale-cost",
  title: "KafScale cost",
  about: "What the object store would bill for what the brokers do, at the prices of " +
    "KAFSCALE_STORE_PRICES. An estimate, and no invoice.",
  rows: [
    {
      title: "Now",
      panels: [
        number(
          "An hour",
          "currencyUSD",
          "sum(kafscale_cost_dollars_per_hour{@})",
          "At the pace of the last five minutes.",
        ),
        number(
          "A month",
          "currencyUSD",
          "730 * sum(kafscale_cost_dollars_per_hour{@})",
          "If it went on at this pace.",
        ),
        number(
          "Since the start",
          "currencyUSD",
          "sum(kafscale_cost_dollars_total{@})",
          "Since the brokers were started.",
        ),
        number(
          "For a GB produced",
          "currencyUSD",
          "1e9 * sum(rate(kafscale_cost_dollars_total{@}[1h])) / " +
            "sum(rate(kafscale_topic_produced_bytes_total{@}[1h]))",
          "Over the last hour.",
        ),
      ],
    },
    {
      title: "By kind and topic",
      panels: [
        {
          title: "By kind",
          about: "Requests, storage and transfer. More time between commits means fewer puts.",
          unit: "currencyUSD",
          kind: "stack",
          width: 12,
          queries: [query("sum by (kind) (kafscale_cost_dollars_per_hour{@})", "{{kind}}")],
        },
        {
          title: "By topic",
          about:
            "The twenty most expensive ones; requests for the write-ahead log are shared out " +
            "by bytes.",
          unit: "currencyUSD",
          kind: "stack",
          width: 12,
          queries: [
            query(
              "topk(20, sum by (topic) (kafscale_topic_cost_dollars_per_hour{@}))",
              "{{topic}}",
            ),
          ],
        },
        {
          title: "Requests in an hour",
          about: "What is paid for by number.",
          unit: "short",
          width: 12,
          queries: [
            query(
              `3600 * sum by (operation) (rate(kafscale_store_calls_total{@,outcome="ok"}${RATE}))`,
              "{{operation}}",
            ),
          ],
        },
        {
          title: "Spent by topic since the start",
          about: "The twenty most expensive ones.",
          unit: "currencyUSD",
          width: 12,
          queries: [
            query("topk(20, sum by (topic) (kafscale_topic_cost_dollars_total{@}))", "{{topic}}"),
          ],
        },
      ],
    },
  ],
};
