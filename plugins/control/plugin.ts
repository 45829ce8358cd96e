/**
 * control: the gRPC service of docs/formats/control.proto, at KAFSCALE_CONTROL_ADDR.
 * Invariant: whoever may connect may read; only who has the token may change something.
 * Upstream: config, runtime, plugin, http (tokens), metrics (the table), grpc-js, protobufjs, zod.
 * May import: core/config, core/runtime, core/plugin, plugins/http, plugins/metrics, and those.
 * @module
 */
import { Buffer } from "node:buffer";
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
  certFile: z.string().nullable(),
  keyFile: z.string().nullable(),
  clientCaFile: z.string().nullable(),
  /** Null: nothing can be changed. */
  token: z.string().nullable(),
  topicsMax: z.int().min(0),
  groupsMax: z.int().min(0),
}).refine(({ certFile, keyFile }) => (certFile === null) === (keyFile === null), {
  error: "KAFSCALE_CONTROL_CERT_FILE and KAFSCALE_CONTROL_KEY_FILE must be set both, or neither",
}).refine(({ certFile, clientCaFile }) => certFile !== null || clientCaFile === null, {
  error: "KAFSCALE_CONTROL_CLIENT_CA_FILE needs KAFSCALE_CONTROL_CERT_FILE: without TLS nobody " +
    "shows a certificate",
});

type ControlSettings = z.infer<typeof settings>;

export const plugin: Plugin<ControlSettings> = {
  name: "control",
  settings,
  start: async (broker, settings, host) => {
    const { address, token, topicsMax, groupsMax } = settings;
    const { log } = host;
    const credentials = await credentialsOf(settings);
    const feed = new MetricsFeed({ broker, plugins: () => host.plugins(), topicsMax, groupsMax });
    const handlers = callHandlers({ broker, log, token, feed });
    const server = new Server({
      "grpc.max_receive_message_length": REQUEST_BYTES_MAX,
      "grpc.max_concurrent_streams": STREAMS_PER_CONNECTION_MAX,
    });
    server.addService(serviceDefinition("BrokerControl"), handlers.control);
    server.addService(serviceDefinition("AssignmentStream"), handlers.assignments);
    const port = await bind(server, address, credentials);
    log.info(`control listening on port ${port}`, { address, tls: settings.certFile !== null });
    const stop = () => {
      handlers.end();
      feed.stop();
      server.forceShutdown();
      return Promise.resolve();
    };
    return { stop };
  },
};

async function credentialsOf(
  { certFile, keyFile, clientCaFile }: ControlSettings,
): Promise<ServerCredentials> {
  if (certFile === null || keyFile === null) return ServerCredentials.createInsecure();
  const [cert_chain, private_key, clientCa] = await Promise.all([
    readPem("KAFSCALE_CONTROL_CERT_FILE", certFile),
    readPem("KAFSCALE_CONTROL_KEY_FILE", keyFile),
    clientCaFile === null ? null : readPem("KAFSCALE_CONTROL_CLIENT_CA_FILE", clientCaFile),
  ]);
  // Deno's server speaks no TLS where an authority is undefined; nobody is asked for it here.
  const authority = clientCa ?? cert_chain;
  return ServerCredentials.createSsl(authority, [{ cert_chain, private_key }], clientCa !== null);
}

async function readPem(setting: string, path: string): Promise<Buffer> {
  try {
    return Buffer.from(await Deno.readFile(path));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${setting} names ${path}, which cannot be read (${why})`);
  }
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  const { host, port } = parseListenAddress(address)!;
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${bracketed}:${port}`, credentials, (error, bound) => {
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
