/** The files that are made from code: `deno task generate` writes them, the gate compares them. */
import { grafanaJson } from "../../deploy/grafana/dashboard.ts";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";
import { configurationPage } from "./configuration_page.ts";
import { metricsPage } from "./metrics_page.ts";
import { protocolPage } from "./protocol_page.ts";

const ROOT = new URL("../../", import.meta.url);

const dashboards = DASHBOARDS.map((dashboard) =>
  [`deploy/grafana/${dashboard.id}.json`, () => grafanaJson(dashboard)] as const
);

const GENERATED: Readonly<Record<string, () => string | Promise<string>>> = {
  "docs/configuration.md": configurationPage,
  "docs/metrics.md": metricsPage,
  ...Object.fromEntries(dashboards),
  "docs/protocol.md": protocolPage,
};

/** The files that differ from what they should be, written where asked. */
export async function generate({ write }: { readonly write: boolean }): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, make] of Object.entries(GENERATED)) {
    const wanted = await make();
    const present = await Deno.readTextFile(new URL(path, ROOT)).catch(() => "");
    if (present === wanted) continue;
    stale.push(`${path} is not what the code says; run deno task generate`);
    if (write) await Deno.writeTextFile(new URL(path, ROOT), wanted);
  }
  return stale;
}

if (import.meta.main) {
  const changed = await generate({ write: true });
  console.log(changed.length === 0 ? "nothing to do" : `wrote ${changed.length} file(s)`);
}
