import type { z } from "zod";
import type { Log } from "../runtime/mod.ts";
import type { BrokerView } from "./broker_view.ts";

/**
 * Something that serves people or machines beside the Kafka clients. It runs in the broker's own
 * thread, so it must not compute for long in one turn; docs/plugins.md tells how to write one.
 */
export interface Plugin<Settings = unknown> {
  /** In logs and in KAFSCALE_PLUGIN_SETTINGS: letters, digits, `_` and `-`. */
  readonly name: string;
  /** Reads the plugin's settings; what it refuses keeps the broker from starting. */
  readonly settings: z.ZodType<Settings>;
  /**
   * Starts to serve. What it throws, here or later (in a timer, a handler, a forgotten promise), is
   * logged; the plugin is stopped and, after a pause, started anew with the same arguments.
   */
  start(broker: BrokerView, settings: Settings, host: PluginHost): Promise<RunningPlugin>;
}

export interface RunningPlugin {
  /** Ends timers, sockets and all else that `start` began; the host waits 5 s for it at most. */
  stop(): Promise<void>;
}

/** What the host does for one start of one plugin. */
export interface PluginHost {
  /** Lines carry the plugin's name. */
  readonly log: Log;
  /** Aborts when this start of the plugin is to end, whether or not `stop` was reached. */
  readonly signal: AbortSignal;
  /**
   * Serves `routes` until the plugin ends, on the HTTP server of `address` ("host:port"), which is
   * opened when it is first named and shared by all plugins. Rejects where the address cannot be
   * listened on, or a route is another's already.
   */
  serve(address: string, routes: readonly HttpRoute[]): Promise<{ host: string; port: number }>;
  /** How all plugins are, this one among them. */
  plugins(): readonly PluginStatus[];
}

export interface PluginStatus {
  readonly name: string;
  /** `waiting`: it failed, and starts again after a pause. */
  readonly state: "idle" | "starting" | "running" | "waiting" | "ended";
  readonly restarts: number;
  /** Of the last fault; null while there was none. */
  readonly lastError: string | null;
}

export interface HttpRoute {
  /** HEAD is answered by GET's route. */
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Segments in braces match any one segment: `/api/v1/topics/{topic}`. */
  readonly path: string;
  /** The response is given up, with 503, after this long; 10 s unless set. */
  readonly timeoutMs?: number;
  /** What it throws is answered with 500 and counts as a fault of the plugin. */
  handle(request: HttpRequest): Promise<Response> | Response;
}

export interface HttpRequest {
  readonly url: URL;
  readonly headers: Headers;
  /** Decoded values of the path's segments in braces. */
  readonly path: Readonly<Record<string, string>>;
  /** Aborts when the route's time is up. */
  readonly signal: AbortSignal;
  /** The whole body, of 64 KiB at most: above it the request was refused already. */
  readonly body: string;
}
