/** Queries that several dashboards make. */
import type { Panel, Query } from "./dashboard.ts";

export const RATE = "[$__rate_interval]";

export function query(expr: string, legend: string): Query {
  return { expr, legend };
}

/** The share of observations up to these quantiles, of a histogram with or without matchers. */
export function quantiles(name: string, matchers = "", by = "le", legend = ""): Query[] {
  const sum = `sum by (${by}) (rate(${name}_bucket{@${matchers}}${RATE}))`;
  return [0.5, 0.95, 0.99].map((share) =>
    query(`histogram_quantile(${share}, ${sum})`, `p${share * 100}${legend}`)
  );
}

export function number(title: string, unit: string, expr: string, about: string): Panel {
  return { title, about, unit, kind: "number", width: 4, queries: [query(expr, "")] };
}
