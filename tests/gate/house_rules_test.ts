import { assertEquals } from "@std/assert";
import plugin from "./house_rules.ts";
import { roomOf, ROOMS } from "./import_rules.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The rules that `source` breaks as `path`, without the plugin's prefix. */
function broken(path: string, source: string): string[] {
  const found = Deno.lint.runPlugin(plugin, ROOT + path, source);
  return found.map(({ id, message }) => `${id.replace("house/", "")}: ${message}`);
}

Deno.test("ambient reports clocks, timers, chance and I/O in core", () => {
  const uses: Record<string, string> = {
    "Date.now();": "Date.now",
    "new Date();": "Date()",
    "performance.now();": "performance.*",
    "setTimeout(f, 1);": "setTimeout()",
    "setInterval(f, 1);": "setInterval()",
    "setImmediate(f);": "setImmediate()",
    "Math.random();": "Math.random",
    "crypto.randomUUID();": "crypto.*",
    "Deno.readFileSync('x');": "Deno.*",
    "process.env.X;": "process.*",
    "fetch('http://x');": "fetch()",
    "console.log(1);": "console.*",
    "AbortSignal.timeout(5);": "AbortSignal.timeout",
    "globalThis.Date;": "globalThis.*",
    "new Worker('x');": "Worker()",
  };
  for (const [source, text] of Object.entries(uses)) {
    assertEquals(broken("core/log/read.ts", source), [`ambient: core may not use ${text}`], source);
  }
});

Deno.test("ambient lets names through that the file declares itself, and pure functions", () => {
  const fine = [
    `import { fetch } from "../protocol/messages/01_fetch.ts"; fetch();`,
    "function f(crypto: { x(): void }) { crypto.x(); }",
    "const g = (performance: { x(): void }) => performance.x();",
    "new Date(0).toISOString();",
    "Math.max(1, 2);",
  ];
  for (const source of fine) assertEquals(broken("core/log/read.ts", source), [], source);
});

Deno.test("ambient leaves the real runtime, drivers and tests alone", () => {
  for (const path of ["core/runtime/system.ts", "drivers/storage/file/driver.ts", "tests/x.ts"]) {
    assertEquals(broken(path, "Date.now(); Deno.pid;"), [], path);
  }
});

Deno.test("imports reports a lower room that reaches up, statically or dynamically", () => {
  const message = "imports: core/log may not import core/handlers";
  const up = `"../handlers/mod.ts"`;
  for (
    const source of [
      `import { x } from ${up};`,
      `import type { X } from ${up};`,
      `export * from ${up};`,
      `export { x } from ${up};`,
      `await import(${up});`,
    ]
  ) assertEquals(broken("core/log/read.ts", source), [message], source);
});

Deno.test("imports lets rooms import lower rooms and themselves", () => {
  const source = `import { a } from "../storage/mod.ts"; import { b } from "./tail.ts"; a(b);`;
  assertEquals(broken("core/log/read.ts", source), []);
});

Deno.test("imports keeps drivers and plugins out of core, and drivers out of plugins", () => {
  const driver = `import "../../drivers/storage/file/driver.ts";`;
  assertEquals(broken("core/log/read.ts", driver), [
    "imports: core/log may not import drivers/storage",
  ]);
  assertEquals(broken("plugins/cli/x.ts", driver), [
    "imports: plugins/cli may not import drivers/storage",
  ]);
});

Deno.test("imports is looser with types only where the table says so", () => {
  const path = "core/handlers/rooms.ts";
  const types = `import type { X } from "../server/fetch_sessions.ts";`;
  assertEquals(broken(path, types), []);
  assertEquals(broken(path, types.replace("type ", "")), [
    "imports: core/handlers may not import core/server (only its types)",
  ]);
});

Deno.test("imports lists packages by room", () => {
  assertEquals(broken("core/config/settings.ts", `import { z } from "zod"; z;`), []);
  assertEquals(broken("core/protocol/records.ts", `import { crc32 } from "node:zlib"; crc32;`), []);
  assertEquals(broken("core/log/read.ts", `import { open } from "node:fs"; open;`), [
    "imports: core/log may not import the package node:fs",
  ]);
  assertEquals(broken("core/log/read.ts", `import x from "npm:left-pad@1"; x;`), [
    "imports: core/log may not import the package npm:left-pad@1",
  ]);
});

Deno.test("the import table has no cycle and names only rooms that exist in it", () => {
  const order = Object.keys(ROOMS);
  for (const [room, rule] of Object.entries(ROOMS)) {
    for (const lower of rule.imports) {
      const ordered = order.indexOf(lower) < order.indexOf(room);
      // plugins stand below main.ts and above core, wherever the table lists drivers
      assertEquals([room, lower, ordered], [room, lower, true]);
    }
  }
  assertEquals(roomOf("core/storage/wal/chain.ts"), "core/storage");
  assertEquals(roomOf("core/broker.ts"), "core/broker.ts");
  assertEquals(roomOf("tests/x.ts"), undefined);
});

Deno.test("file-name reports names that say nothing or are not snake_case", () => {
  for (const name of ["utils", "helper", "common", "misc", "types"]) {
    assertEquals(broken(`core/log/${name}.ts`, ""), [
      `file-name: the file name ${name} says nothing`,
    ]);
  }
  assertEquals(broken("core/log/readLog.ts", ""), [
    "file-name: the file name readLog is not snake_case",
  ]);
  assertEquals(broken("core/handlers/00_produce.ts", ""), []);
  assertEquals(broken("core/std/assert.d.ts", ""), []);
});

Deno.test("file-size reports long files and long lines", () => {
  const lines = (count: number) => "// line\n".repeat(count);
  assertEquals(broken("core/log/read.ts", lines(400)), []);
  assertEquals(broken("core/log/read.ts", lines(401)), [
    "file-size: the file has 401 lines, over 400",
  ]);
  assertEquals(broken("tests/log/read_test.ts", lines(800)), []);
  assertEquals(broken("tests/log/read_test.ts", lines(801)), [
    "file-size: the file has 801 lines, over 800",
  ]);
  assertEquals(broken("core/log/read.ts", `//${"x".repeat(99)}\n`), [
    "file-size: a line of 101, over 100 columns",
  ]);
});

Deno.test("function-size reports functions of more than 70 lines, by name", () => {
  const body = (count: number) => `{\n${"  // line\n".repeat(count - 2)}}`;
  assertEquals(broken("core/log/read.ts", `function long() ${body(70)}`), []);
  assertEquals(broken("core/log/read.ts", `function long() ${body(71)}`), [
    "function-size: long has 71 lines, over 70",
  ]);
  assertEquals(broken("core/log/read.ts", `const long = () => ${body(71)};`), [
    "function-size: long has 71 lines, over 70",
  ]);
  assertEquals(broken("core/log/read.ts", `class A { long() ${body(71)} }`), [
    "function-size: long has 71 lines, over 70",
  ]);
  assertEquals(broken("tests/log/read_test.ts", `function long() ${body(90)}`), []);
});
