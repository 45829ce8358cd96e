import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { defaultConfig } from "../../core/config/mod.ts";
import type { BrokerView, Plugin, PluginHost as HostOf } from "../../core/plugin/mod.ts";
import { InvariantError, LoopDelay, type Runtime } from "../../core/runtime/mod.ts";
import { systemRuntime } from "../../core/runtime/system.ts";
import { catchFaults } from "../../plugins/host/faults.ts";
import { PluginHost } from "../../plugins/host/mod.ts";
import { currentScope, Scope } from "../../plugins/host/scope.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { keptLog } from "../plugin/scene.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

/** As much of a view as these plugins look at. */
function fakeView(runtime: Runtime): BrokerView & { end(): void } {
  const listeners = new Set<(delayMs: number) => void>();
  const loop = new LoopDelay(runtime, (delayMs) => {
    for (const listener of listeners) listener(delayMs);
  });
  const view: Partial<BrokerView> = {
    onLoopDelay: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    flush: () => {
      assertEquals(currentScope(), undefined);
      return Promise.resolve({ segments: 1, rewrittenBytes: 1, tookMs: 1 });
    },
  };
  return { ...view as BrokerView, end: () => loop.stop() };
}

type Start = (view: BrokerView, host: HostOf) => Promise<() => Promise<void> | void>;

/** Runs one plugin whose start is `start`. */
async function hosted(start: Start, runtime?: Runtime) {
  const log = keptLog();
  const real = runtime ?? systemRuntime(log);
  let starts = 0;
  const plugin: Plugin = {
    name: "fragile",
    settings: z.object({}),
    start: async (view, _settings, host) => {
      starts++;
      const stop = await start(view, host);
      return { stop: async () => await stop() };
    },
  };
  const chosen = {
    name: "fragile",
    roots: [import.meta.url],
    load: () => Promise.resolve({ plugin, settings: {} }),
  };
  const config = defaultConfig({ metricsAddr: "127.0.0.1:0" });
  const host = new PluginHost(config, real, [chosen]);
  const view = fakeView(real);
  await host.start(view);
  return {
    host,
    log,
    starts: () => starts,
    end: async () => {
      view.end();
      await host.stop();
    },
  };
}

const nothing = () => {};

const until = (what: string, holds: () => boolean | Promise<boolean>) =>
  waitUntil(what, async () => await holds() || undefined, 25_000, 10);

Deno.test("a plugin that throws at start is started again, with pauses that double", async () => {
  const runtime = manualRuntime();
  const { starts, end } = await hosted(() => Promise.reject(new Error("no")), runtime);
  assertEquals(starts(), 1);
  const times: number[] = [];
  for (let second = 1; second <= 8; second++) {
    const before = starts();
    await runtime.advance(1_000);
    if (starts() > before) times.push(second);
  }
  assertEquals(times, [1, 3, 7]);
  const lines = runtime.lines.filter(({ level }) => level === "error");
  assertEquals(lines.map(({ fields }) => fields?.pauseMs), [1_000, 2_000, 4_000, 8_000]);
  assertEquals(lines[0]!.fields?.plugin, "fragile");
  await end();
  assertEquals(runtime.pendingTimers, 0);
});

Deno.test("a plugin that ran well for a minute is started again after one second", async () => {
  const runtime = manualRuntime();
  const scopes: Scope[] = [];
  const { starts, end } = await hosted(() => {
    scopes.push(currentScope()!);
    return Promise.resolve(nothing);
  }, runtime);
  for (const ranMs of [0, 0, 0, 60_000]) {
    await runtime.advance(ranMs);
    scopes.at(-1)!.onFault(new Error("later"));
    await runtime.advance(10_000);
  }
  const pauses = runtime.lines.filter(({ level }) => level === "error")
    .map(({ fields }) => fields?.pauseMs);
  assertEquals([pauses, starts()], [[1_000, 2_000, 4_000, 1_000], 5]);
  await end();
});

Deno.test("a plugin that neither starts nor stops is not waited for", async () => {
  const runtime = manualRuntime();
  let aborted = false;
  const starting = hosted((_view, host) => {
    host.signal.addEventListener("abort", () => aborted = true);
    return new Promise<never>(nothing);
  }, runtime);
  await runtime.settle();
  await runtime.advance(10_000);
  const { end, host } = await starting;
  assert(aborted);
  const errors = runtime.lines.filter(({ level }) => level === "error");
  assertStringIncludes(String(errors[0]!.fields?.error), "it did not start within 10 s");
  await end();
  await host.stop();

  const other = manualRuntime();
  const second = await hosted(() => Promise.resolve(() => new Promise<never>(nothing)), other);
  const stopping = second.end();
  await other.advance(5_000);
  await stopping;
  const warning = other.lines.find(({ level }) => level === "warn");
  assertEquals(warning?.message, "a plugin could not be stopped cleanly");
});

/** Everything a plugin may forget to catch, each in a way of its own. */
const FORGOTTEN: Readonly<Record<string, () => void>> = {
  "a timer": () =>
    void setTimeout(() => {
      throw new Error("boom");
    }, 1),
  "a forgotten promise": () => void Promise.reject(new Error("boom")),
  "a promise rejected with text": () => void Promise.reject("boom"),
  "an async function after a wait": () => {
    (async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      throw new Error("boom");
    })();
  },
  "a microtask": () =>
    queueMicrotask(() => {
      throw new Error("boom");
    }),
};

for (const [what, forget] of Object.entries(FORGOTTEN)) {
  Deno.test(`what a plugin throws in ${what} ends the plugin alone`, async () => {
    let first = true;
    let stopped = 0;
    const { log, starts, host, end } = await hosted(() => {
      if (first) forget();
      first = false;
      return Promise.resolve(() => void stopped++);
    });
    await until("a fault was logged", () => log.lines.some(({ level }) => level === "error"));
    const { fields } = log.lines.find(({ level }) => level === "error")!;
    assertEquals(fields?.plugin, "fragile");
    assertStringIncludes(String(fields?.error), "boom");
    await until("the plugin was started again", () => starts() === 2);
    assertEquals(stopped, 1);
    await end();
    await host.stop();
  });
}

Deno.test("catchFaults() leaves broken invariants and what is no plugin's alone", () => {
  const faults: unknown[] = [];
  const scope = new Scope("p", ["file:///plugin/"], (error) => faults.push(error));
  const end = catchFaults(() => [scope]);
  const caught = (reason: unknown, within = false) => {
    const promise = Promise.resolve();
    const init = { promise, reason, cancelable: true };
    const event = new PromiseRejectionEvent("unhandledrejection", init);
    if (within) scope.enter(() => globalThis.dispatchEvent(event));
    else globalThis.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const at = (file: string) => Object.assign(new Error("x"), { stack: `Error: x\n  at ${file}` });
  assertEquals(caught(at("file:///plugin/a.ts:1:1")), true);
  assertEquals(caught("text", true), true);
  assertEquals(faults.length, 2);
  assertEquals(caught(new InvariantError("broken"), true), false);
  end();
  assertEquals(faults.length, 2);
});

Deno.test("a handler that throws answers 500, then 503 until its plugin is back", async () => {
  let port = 0;
  let broken = true;
  const { end, log, starts } = await hosted(async (_view, host) => {
    const at = await host.serve("127.0.0.1:0", [{
      method: "GET",
      path: "/x",
      handle: () => {
        if (broken) throw new Error("boom");
        return new Response("fine");
      },
    }]);
    port = at.port;
    return nothing;
  });
  const get = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/x`);
    return [response.status, await response.text()] as const;
  };
  const [status, text] = await get();
  assertEquals([status, text.includes("the plugin fragile failed")], [500, true]);
  broken = false;
  const again = await get();
  assertEquals([again[0], again[1].includes("starts again")], [503, true]);
  await until("the plugin was started again", () => starts() === 2);
  await until("it serves again", async () => (await get())[0] === 200);
  assertEquals(log.lines.filter(({ level }) => level === "error").length, 1);
  await end();
});

Deno.test("a plugin that holds the event loop up is named in the log", async () => {
  const { log, end } = await hosted((_view, host) => {
    const timer = setTimeout(() => {
      void host.serve("127.0.0.1:0", []);
    }, 1);
    const until = performance.now() + 600;
    while (performance.now() < until);
    return Promise.resolve(() => clearTimeout(timer));
  });
  await until("the delay was logged", () => log.lines.some(({ level }) => level === "warn"));
  const line = log.lines.find(({ level }) => level === "warn")!;
  assertStringIncludes(line.message, "event loop was held up");
  assertEquals(line.fields?.plugin, "fragile");
  assert(Number(line.fields?.delayMs) >= 250);
  await end();
});

Deno.test("what the broker does for a plugin is not the plugin's", async () => {
  let seen: Scope | undefined;
  let flushed = 0;
  const { end } = await hosted(async (view) => {
    seen = currentScope();
    flushed = (await view.flush()).segments;
    return nothing;
  });
  assertEquals([seen?.name, flushed], ["fragile", 1]);
  await end();
});

Deno.test("two plugins cannot serve one route", async () => {
  const route = { method: "GET", path: "/x", handle: () => new Response("") } as const;
  const log = keptLog();
  const make = (name: string): Plugin => ({
    name,
    settings: z.object({}),
    start: async (_view, _settings, host) => {
      await host.serve("127.0.0.1:0", [route]);
      return { stop: () => Promise.resolve() };
    },
  });
  const chosen = ["one", "two"].map((name) => ({
    name,
    roots: [],
    load: () => Promise.resolve({ plugin: make(name), settings: {} }),
  }));
  const runtime = systemRuntime(log);
  const host = new PluginHost(defaultConfig({ metricsAddr: null }), runtime, chosen);
  const view = fakeView(runtime);
  await host.start(view);
  const error = log.lines.find(({ level }) => level === "error")!;
  assertEquals(error.fields?.plugin, "two");
  assertStringIncludes(String(error.fields?.error), "served by the plugin one already");
  view.end();
  await host.stop();
});

Deno.test("listen() refuses an address in use with one sentence", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const metricsAddr = `127.0.0.1:${taken.addr.port}`;
  const { openPlugins } = await import("../../plugins/mod.ts");
  const config = defaultConfig({ metricsAddr });
  const error = await assertRejects(
    () => openPlugins({ config, runtime: systemRuntime(keptLog()) }),
    Error,
    `${metricsAddr} is in use by another program`,
  );
  assertStringIncludes(error.message, "KAFSCALE_METRICS_ADDR");
  taken.close();
});
