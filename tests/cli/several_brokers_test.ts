import { assertEquals, assertRejects } from "@std/assert";
import { type Config, defaultConfig } from "../../core/config/mod.ts";
import type { ProcessBroker, ProcessBrokers, Wiring } from "../../plugins/cli/command.ts";
import { SeveralBrokers } from "../../plugins/cli/start/several_brokers.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

/** Brokers that fail when they are told to, as a real one can't be. */
class Brokers implements ProcessBrokers {
  readonly calls: string[] = [];
  readonly fail = new Map<number, (reason: unknown) => void>();

  constructor(readonly refusing = -1) {}

  start({ brokerId: id, brokerAddr }: Config): Promise<ProcessBroker> {
    if (id === this.refusing) return Promise.reject(new Error("not today"));
    const failed = Promise.withResolvers<unknown>();
    this.fail.set(id, failed.resolve);
    const call = (name: string) => () => {
      this.calls.push(`${name} ${id}`);
      return Promise.resolve();
    };
    return Promise.resolve({
      host: "0.0.0.0",
      port: Number(brokerAddr.slice(1)),
      failed: failed.promise,
      leads: () => id,
      controls: () => id === 0,
      drain: call("drain"),
      stop: call("stop"),
      kill: call("kill"),
    });
  }

  expireKilled(): Promise<void> {
    this.calls.push("expire");
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.calls.push("close");
    return Promise.resolve();
  }
}

function start(brokers: Brokers): Promise<SeveralBrokers> {
  const wiring = { openBrokers: () => Promise.resolve(brokers) } as Partial<Wiring> as Wiring;
  return SeveralBrokers.start(wiring, defaultConfig({ cluster: 3 }), manualRuntime().log);
}

Deno.test("a broker that cannot go on ends alone, and can be started again", async () => {
  const brokers = new Brokers();
  const several = await start(brokers);
  assertEquals(several.bootstrap, "127.0.0.1:9092,127.0.0.1:9192,127.0.0.1:9292");
  brokers.fail.get(1)!(new Error("fenced"));
  while (brokers.calls.length === 0) await Promise.resolve();
  assertEquals(brokers.calls, ["kill 1"]);
  assertEquals(several.list().map(({ state }) => state), ["serving", "failed", "serving"]);
  assertEquals(await several.startOne(1), "127.0.0.1:9192");
  assertEquals(several.list().map(({ state }) => state), ["serving", "serving", "serving"]);
});

Deno.test("`failed` resolves when no broker is left that can go on", async () => {
  const brokers = new Brokers();
  const several = await start(brokers);
  await several.stopOne(0);
  brokers.fail.get(1)!(new Error("fenced"));
  brokers.fail.get(2)!(new Error("fenced"));
  await several.failed;
  await several.stop();
  assertEquals(brokers.calls, ["drain 0", "stop 0", "kill 1", "kill 2", "expire", "close"]);
});

Deno.test("stopOne() of the last one does not wait for a lease of the dead", async () => {
  const brokers = new Brokers();
  const several = await start(brokers);
  await several.killOne(2);
  await several.stopOne(1);
  await several.stopOne(0);
  assertEquals(several.serving, false);
  const last = ["expire", "drain 0", "stop 0"];
  assertEquals(brokers.calls, ["kill 2", "drain 1", "stop 1", ...last]);
});

Deno.test("stop() ends one after the other, once nobody waits for the dead", async () => {
  const brokers = new Brokers();
  const several = await start(brokers);
  assertEquals(await several.killOne(1), 6_000);
  await several.stop();
  const ended = ["drain 2", "stop 2", "drain 0", "stop 0", "close"];
  assertEquals(brokers.calls, ["kill 1", "expire", ...ended]);
});

Deno.test("start() that fails for one broker leaves none behind", async () => {
  const brokers = new Brokers(2);
  await assertRejects(() => start(brokers), Error, "not today");
  const ended = ["drain 1", "stop 1", "drain 0", "stop 0", "close"];
  assertEquals(brokers.calls, ["expire", ...ended]);
});
