/** A view as lines of text. */
import { green, red, yellow } from "@std/fmt/colors";
import { bytes, count, digits } from "../terminal/figures.ts";
import { type Cell, type Column, table } from "../terminal/table.ts";
import type { GroupView, TopicView, View } from "./view.ts";

const HEALTH_STYLES: Readonly<Record<string, (text: string) => string>> = {
  healthy: green,
  degraded: yellow,
  unavailable: red,
};

export interface LineOptions {
  /** Who is looked at, and how often. */
  readonly title: string;
  /** Lines that there is room for. */
  readonly height: number;
  /** Whether colours are understood. */
  readonly styled: boolean;
}

/** Figures first, then topics and groups, as many of each as there is room for. */
export function viewLines(view: View, { title, height, styled }: LineOptions): string[] {
  const head = [title, "", ...figures(view, styled), ""];
  // two tables, each with a title line, a blank line between them
  const room = Math.max(2, height - head.length - 3);
  const groupRows = Math.min(view.groups.length, Math.max(1, Math.floor(room / 2)));
  const topicRows = Math.min(view.topics.length, Math.max(1, room - groupRows));
  return [
    ...head,
    ...topicTable(view.topics.slice(0, topicRows), view.topics.length, styled),
    "",
    ...groupTable(view.groups.slice(0, groupRows), view.groups.length, styled),
  ].slice(0, height);
}

function figures(view: View, styled: boolean): string[] {
  const { store, commitMs } = view;
  const style = HEALTH_STYLES[store.health ?? ""];
  const health = store.health ?? "-";
  const parts: readonly (readonly [string, string])[] = [
    [
      "in",
      `${perSecond(view.recordsIn)} records/s${also(view.bytesIn, (each) => `${bytes(each)}/s`)}`,
    ],
    ["out", shown(view.bytesOut, (each) => `${bytes(each)}/s`)],
    ["requests", shown(view.requests, (each) => `${perSecond(each)}/s`)],
    ["connections", shown(view.connections, count)],
    ["lag", count(Math.round(view.lag))],
    ["commit", `p50 ${shown(commitMs.p50, ms)}  p99 ${shown(commitMs.p99, ms)}`],
    [
      "store",
      `${styled && style !== undefined ? style(health) : health}  ` +
      `latency ${shown(store.latencyMs, ms)}  ` +
      `errors ${shown(store.errorRate, (each) => `${digits(each * 100)} %`)}`,
    ],
    ["cost", shown(view.dollarsPerHour, dollars)],
  ];
  return parts.map(([name, value]) => `${name.padEnd(12)}${value}`);
}

function topicTable(topics: readonly TopicView[], all: number, styled: boolean): string[] {
  const columns: Column[] = [
    { title: `TOPIC (${count(all)})` },
    { title: "PARTITIONS", right: true },
    { title: "RECORDS/S", right: true },
    { title: "IN/S", right: true },
    { title: "OUT/S", right: true },
    { title: "COST", right: true },
  ];
  const rows = topics.map((each) => [
    each.topic,
    `${each.partitions}`,
    perSecond(each.recordsIn),
    shown(each.bytesIn, bytes),
    shown(each.bytesOut, bytes),
    shown(each.dollarsPerHour, dollars),
  ]);
  return table(columns, rows, styled);
}

function groupTable(groups: readonly GroupView[], all: number, styled: boolean): string[] {
  const columns: Column[] = [
    { title: `GROUP (${count(all)})` },
    { title: "STATE" },
    { title: "MEMBERS", right: true },
    { title: "LAG", right: true },
    { title: "LAG CHANGE/S", right: true },
  ];
  const rows = groups.map(({ group, state, members, lag, lagChange }): Cell[] => {
    const change = `${lagChange > 0 ? "+" : ""}${lagChange < 0 ? "-" : ""}` +
      perSecond(Math.abs(lagChange));
    return [
      group,
      state,
      `${members}`,
      count(lag),
      lagChange > 0 ? { text: change, style: yellow } : change,
    ];
  });
  return table(columns, rows, styled);
}

function shown(value: number | null, as: (value: number) => string): string {
  return value === null ? "-" : as(value);
}

function also(value: number | null, as: (value: number) => string): string {
  return value === null ? "" : `, ${as(value)}`;
}

function ms(value: number): string {
  return `${digits(value)} ms`;
}

function dollars(value: number): string {
  return `$${value.toFixed(value < 1 ? 4 : 2)}/h`;
}

/** Whole numbers above ten. */
function perSecond(value: number): string {
  return value === 0 ? "0" : value >= 10 ? count(Math.round(value)) : value.toFixed(1);
}
