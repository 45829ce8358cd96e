import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Config, defaultConfig } from "../../core/config/mod.ts";
import { systemRuntime } from "../../core/runtime/system.ts";
import { openPlugins } from "../../plugins/mod.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { keptLog } from "../plugin/scene.ts";
import { HostedBroker, listeningPort } from "./hosted.ts";

const EXAMPLE = new URL("../../docs/examples/quiet_topics.ts", import.meta.url).pathname;

async function opened(config: Partial<Config>) {
  const log = keptLog();
  const host = await openPlugins({
    config: defaultConfig({ metricsAddr: "127.0.0.1:0", ...config }),
    runtime: systemRuntime(log),
  });
  return { host, log };
}

async function refused(config: Partial<Config>): Promise<string> {
  const { message } = await assertRejects(() => opened(config), Error);
  assert(!message.includes("\n"), message);
  return message;
}

/** A module of its own with `text` in it. */
async function withModule(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-plugin-" });
  try {
    await Deno.writeTextFile(`${dir}/plugin.js`, text);
    await use(`${dir}/plugin.js`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("the example plugin tells of topics that have gone quiet", async () => {
  await using broker = await HostedBroker.open({
    plugins: ["ops", EXAMPLE],
    pluginSettings: { quiet_topics: { quietSeconds: 0.2 } },
  });
  const { scene } = broker;
  await scene.topic("t");
  await scene.topic("unused");
  await scene.produce("t", 0, ["1"]);
  const topics = async () => JSON.parse((await broker.get("/quiet-topics")).text).topics;
  await waitUntil("the topic is quiet", async () => (await topics()).length > 0 || undefined);
  assertEquals(await topics(), ["t"]);
  const warning = scene.log.lines.find(({ message }) => message === "a topic has gone quiet");
  assertEquals(warning?.fields, { plugin: "quiet_topics", topic: "t", quietSeconds: 0.2 });
  await scene.produce("t", 0, ["2"]);
  await waitUntil("it is not any more", async () => (await topics()).length === 0 || undefined);
});

Deno.test("a plugin in plain JavaScript needs no package", () =>
  withModule(
    `export const plugin = {
      name: "plain",
      settings: { safeParse: (data) => ({ success: true, data: { ...data, read: true } }) },
      async start(broker, settings, host) {
        await host.serve(broker.config.metricsAddr, [{
          method: "GET",
          path: "/plain",
          handle: () => Response.json(settings),
        }]);
        return { stop: async () => {} };
      },
    };`,
    async (path) => {
      const pluginSettings = { plain: { a: 1 } };
      await using broker = await HostedBroker.open({ plugins: ["ops", path], pluginSettings });
      assertEquals(JSON.parse((await broker.get("/plain")).text), { a: 1, read: true });
    },
  ));

Deno.test("openPlugins() refuses names and modules that are no plugins", async () => {
  assertStringIncludes(await refused({ plugins: ["metric"] }), "did you mean metrics?");
  assertStringIncludes(await refused({ plugins: ["./nowhere.ts"] }), "which does not exist");
  assertStringIncludes(await refused({ plugins: ["ops", "ops"] }), "names the plugin ops twice");
  await withModule(
    "export const plugin = 1;",
    async (path) =>
      assertStringIncludes(await refused({ plugins: [path] }), "must export `plugin`"),
  );
  await withModule(
    "throw new Error('no');",
    async (path) =>
      assertStringIncludes(await refused({ plugins: [path] }), "which cannot be loaded: no"),
  );
});

Deno.test("openPlugins() lets a plugin refuse its settings, and settings for nobody", async () => {
  const wrong = { quiet_topics: { quietSeconds: -1 } };
  const said = await refused({ plugins: [EXAMPLE], pluginSettings: wrong });
  assertStringIncludes(said, "the plugin quiet_topics refuses its settings");
  assertStringIncludes(said, "quietSeconds: ");
  assertStringIncludes(
    await refused({ plugins: [EXAMPLE], pluginSettings: { quiet_topic: {} } }),
    "did you mean quiet_topics?",
  );
});

Deno.test("before the broker serves, it is alive and not ready", async () => {
  const { host, log } = await opened({});
  const port = listeningPort(log.lines.map(({ message }) => message));
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, (await response.json()).status];
  };
  assertEquals(await get("/livez"), [200, "starting"]);
  assertEquals(await get("/readyz"), [503, undefined]);
  assertEquals(await get("/metrics"), [503, undefined]);
  await host.stop();
});

Deno.test("with KAFSCALE_METRICS_ADDR off, or without plugins, nothing listens", async () => {
  for (const config of [{ metricsAddr: null }, { plugins: [] }]) {
    const { host, log } = await opened(config);
    assertEquals([host.chosen.length, log.lines.length], [0, 0]);
    await host.stop();
  }
});
