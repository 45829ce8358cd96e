/**
 * Grafana dashboards as short tables, and the JSON that Grafana imports out of them: `deno task
 * generate` writes it beside this file. Every query is restricted to the brokers chosen at the top.
 */

/** One line, or family of lines, of a panel. */
export interface Query {
  /** PromQL; `@` stands for the label matchers of the chosen brokers. */
  readonly expr: string;
  /** Labels in double braces are filled in. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** What it shows and when to worry; people see it as the panel's tooltip. */
  readonly about: string;
  /** Grafana's name of the unit. */
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly kind?: "lines" | "stack" | "number";
  /** Of 24. */
  readonly width?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  /** File name without .json, and stable id. */
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly rows: readonly Row[];
}

const MATCHERS = 'job=~"$job",instance=~"$instance"';
const ROW_HEIGHT = 1;
const HEIGHTS = { lines: 8, stack: 8, number: 4 } as const;

type Json = Record<string, unknown>;

/** The query as Grafana sends it. */
export function promql({ expr }: Query): string {
  return expr.replaceAll("@", MATCHERS);
}

export function grafanaJson(dashboard: Dashboard): string {
  const { id, title, about, rows } = dashboard;
  const panels: Json[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push(rowJson(row, panels.length + 1, y));
    y += ROW_HEIGHT;
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      const width = panel.width ?? 8;
      if (x + width > 24) {
        x = 0;
        y += height;
        height = 0;
      }
      panels.push(panelJson(panel, panels.length + 1, { x, y, w: width }));
      x += width;
      height = Math.max(height, HEIGHTS[panel.kind ?? "lines"]);
    }
    y += height;
  }
  const whole = {
    uid: id,
    title,
    description: about,
    tags: ["kafscale"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    graphTooltip: 1,
    templating: { list: VARIABLES },
    annotations: { list: [] },
    links: [{
      type: "dashboards",
      tags: ["kafscale"],
      title: "KafScale",
      asDropdown: true,
      keepTime: true,
      includeVars: true,
    }],
    panels,
  };
  return JSON.stringify(whole, undefined, 2) + "\n";
}

const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

const VARIABLES: readonly Json[] = [
  { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" },
  variable("job", "Job", "label_values(kafscale_broker_info, job)"),
  variable("instance", "Broker", 'label_values(kafscale_broker_info{job=~"$job"}, instance)'),
];

function variable(name: string, label: string, query: string): Json {
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    query: { query, refId: name },
    refresh: 2,
    includeAll: true,
    multi: true,
    current: { text: "All", value: "$__all" },
  };
}

function rowJson({ title }: Row, id: number, y: number): Json {
  const gridPos = { x: 0, y, w: 24, h: ROW_HEIGHT };
  return { id, type: "row", title, collapsed: false, gridPos, panels: [] };
}

function panelJson(panel: Panel, id: number, at: { x: number; y: number; w: number }): Json {
  const kind = panel.kind ?? "lines";
  const targets = panel.queries.map((query, index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATASOURCE,
    expr: promql(query),
    legendFormat: query.legend,
  }));
  const number = kind === "number";
  const stacking = { mode: kind === "stack" ? "normal" : "none" };
  return {
    id,
    type: number ? "stat" : "timeseries",
    title: panel.title,
    description: panel.about,
    datasource: DATASOURCE,
    gridPos: { ...at, h: HEIGHTS[kind] },
    targets,
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        ...(number ? {} : { custom: { lineWidth: 1, fillOpacity: 10, stacking }, min: 0 }),
      },
      overrides: [],
    },
    options: number
      ? { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
  };
}
