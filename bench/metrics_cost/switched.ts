/**
 * A plugin module for the bench: the metrics plugin in one that turns it on and off while the
 * broker runs, so that both are measured in one process.
 */
import { z } from "zod";
import type { HttpRequest, HttpRoute, Plugin, RunningPlugin } from "../../core/plugin/plugin.ts";
import { plugin as metrics } from "../../plugins/metrics/plugin.ts";

export const plugin: Plugin<Record<string, never>> = {
  name: "switched",
  settings: z.strictObject({}),
  start: async (broker, _, host) => {
    const address = String(broker.config["metricsAddr"]);
    let running: RunningPlugin | undefined;
    let routes: readonly HttpRoute[] = [];
    const settings = { address, topicsMax: 200, groupsMax: 200, prices: null, storage: "memory" };
    const turnOn = async () => {
      running ??= await metrics.start(broker, settings, {
        log: host.log,
        signal: host.signal,
        plugins: () => host.plugins(),
        serve: (_, given) => {
          routes = given;
          return Promise.resolve({ host: "", port: 0 });
        },
      });
      return new Response("on");
    };
    const turnOff = async () => {
      await running?.stop();
      running = undefined;
      return new Response("off");
    };
    const scrape = (request: HttpRequest) => routes[0]!.handle(request);
    const { port } = await host.serve(address, [
      { method: "POST", path: "/on", handle: turnOn },
      { method: "POST", path: "/off", handle: turnOff },
      { method: "GET", path: "/metrics", handle: scrape },
    ]);
    host.log.info(`switched at port ${port}`);
    return { stop: () => running?.stop() ?? Promise.resolve() };
  },
};
