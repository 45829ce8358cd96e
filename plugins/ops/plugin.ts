/**
 * ops: health checks and the operations API, over HTTP at KAFSCALE_METRICS_ADDR.
 * Invariant: whoever may connect may read; only who has the token may change something. Every
 * answer is as the OpenAPI document says.
 * Upstream: config, runtime, plugin, http, zod.
 * May import: core/config, core/runtime, core/plugin, plugins/http, plugins/snapshot, zod.
 * @module
 */
import { z } from "zod";
import type { HttpRoute, Plugin } from "../../core/plugin/mod.ts";
import { json } from "../http/mod.ts";
import { openApi } from "./openapi.ts";
import { respond, type Scene } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { refusal } from "./token.ts";

const settings = z.object({
  address: z.string(),
  /** Null: nothing can be changed. */
  token: z.string().nullable(),
  snapshotPrefix: z.string(),
});

export const plugin: Plugin<z.infer<typeof settings>> = {
  name: "ops",
  settings,
  start: async (broker, { address, token, snapshotPrefix }, host) => {
    const scene: Scene = { broker, snapshotPrefix, plugins: () => host.plugins() };
    const routes = OPERATIONS.map((operation): HttpRoute => ({
      method: operation.method,
      path: operation.path,
      ...(operation.timeoutMs === undefined ? {} : { timeoutMs: operation.timeoutMs }),
      handle: (request) => {
        const refused = operation.changes ? refusal(request.headers, token) : undefined;
        if (refused !== undefined) return refused;
        if (operation.changes) host.log.info("an operator asks for a change", { of: operation.id });
        return respond(operation, scene, request);
      },
    }));
    let document: unknown;
    routes.push({
      method: "GET",
      path: "/api/v1/openapi.json",
      handle: () => json(document ??= openApi(OPERATIONS, broker.identity.version)),
    });
    await host.serve(address, routes);
    return { stop: () => Promise.resolve() };
  },
};
