/**
 * control: the gRPC service of docs/formats/control.proto, at KAFSCALE_CONTROL_ADDR.
 * Invariant: whoever may connect may read; only who has the token may change something.
 * Upstream: config, runtime, plugin, http (tokens), metrics (the table), grpc-js, protobufjs, zod.
 * May import: core/config, core/runtime, core/plugin, plugins/http, plugins/metrics, and those.
 * @module
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { z } from "zod";
import { parseListenAddress } from "../../core/config/mod.ts";
import type { Plugin } from "../../core/plugin/mod.ts";
import { callHandlers } from "./handlers.ts";
import { MetricsFeed } from "./metrics_feed.ts";
import { serviceDefinition } from "./schema.ts";

const REQUEST_BYTES_MAX = 1 << 20;
const STREAMS_PER_CONNECTION_MAX = 100;

const settings = z.object({
  address: z.string(),
  /** Null: nothing can be changed. */
  token: z.string().nullable(),
  topicsMax: z.int().min(0),
  groupsMax: z.int().min(0),
});

export const plugin: Plugin<z.infer<typeof settings>> = {
  name: "control",
  settings,
  start: async (broker, { address, token, topicsMax, groupsMax }, host) => {
    const { log } = host;
    const feed = new MetricsFeed({ broker, plugins: () => host.plugins(), topicsMax, groupsMax });
    const handlers = callHandlers({ broker, log, token, feed });
    const server = new Server({
      "grpc.max_receive_message_length": REQUEST_BYTES_MAX,
      "grpc.max_concurrent_streams": STREAMS_PER_CONNECTION_MAX,
    });
    server.addService(serviceDefinition("BrokerControl"), handlers.control);
    server.addService(serviceDefinition("AssignmentStream"), handlers.assignments);
    const port = await bind(server, address);
    log.info(`control listening on port ${port}`, { address });
    const stop = () => {
      handlers.end();
      feed.stop();
      server.forceShutdown();
      return Promise.resolve();
    };
    return { stop };
  },
};

function bind(server: Server, address: string): Promise<number> {
  const { host, port } = parseListenAddress(address)!;
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${bracketed}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) return resolve(bound);
      reject(
        new Error(
          `${address} cannot be listened on (${error.message}); choose another address with ` +
            "KAFSCALE_CONTROL_ADDR, or set it to off",
        ),
      );
    });
  });
}
