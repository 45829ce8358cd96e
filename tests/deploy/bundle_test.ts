/** What goes into the binary, and how npm modules are moved into it. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  bundle,
  nodesDefault,
  npmModule,
  sections,
  timersOfNode,
} from "../../deploy/binary/bundle.ts";
import { deno } from "../../deploy/binary/deno.ts";
import { npmFile } from "../../deploy/binary/npm_file.ts";
import { treeFiles } from "../gate/tidy.ts";

const CACHE = "/cache/deno/npm";

Deno.test("bundle() takes in all drivers and plugins, nothing that only tests use", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kafscale-bundle-" });
  try {
    const { files, modules, packages } = await bundle("main.ts", `${folder}/program`);
    assert(files.includes("main.js"));
    const inside = new Set(modules);
    for await (const { path } of treeFiles()) {
      const wanted = /^(drivers\/\w+\/\w+\/driver|plugins\/(cli\/mod|\w+\/plugin))\.ts$/.test(path);
      assert(!wanted || inside.has(path), `${path} is not inside`);
    }
    const foreign = modules.filter((path) => !/^((core|drivers|plugins)\/|main\.ts$)/.test(path));
    assertEquals(foreign, ["deno.json"]);
    for (const { name } of packages) assert(!/^(kafkajs|snappyjs|@types\/)/.test(name), name);
    for (const file of files.filter((file) => file.endsWith(".js"))) {
      const text = await Deno.readTextFile(`${folder}/program/${file}`);
      assert(!/\/npm\/registry\.|\.cache\/deno/.test(text), `${file} holds the builder's paths`);
    }
    const wasm = files.find((file) => file.endsWith(".wasm"));
    assertMatch(wasm!, /^npm\/@platformatic\/wasm-utils\/[\d.]+\/dist\/native\.wasm$/);
    const check = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "-A", `${folder}/program/main.js`, "version", "--json"],
    });
    assertEquals(JSON.parse(new TextDecoder().decode((await check.output()).stdout)).commit, null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sections() cuts a chunk at its modules and loses nothing", () => {
  const chunk = 'import "./x.js";\n\n// core/a.ts\nvar a = 1; // not.ts\n  // b.ts\n' +
    "// a sentence about b.ts\n// ../npm/z/1.0.0/i.mjs\nvar z;\n";
  const files = ["core/a.ts", "../npm/z/1.0.0/i.mjs"];
  const found = sections(chunk, (path) => files.includes(path));
  assertEquals(found.map(({ path }) => path), [undefined, "core/a.ts", "../npm/z/1.0.0/i.mjs"]);
  assertEquals(found.map(({ text }) => text).join(""), chunk);
});

Deno.test("timersOfNode() names what npm modules use and the chunk does not have", () => {
  const npm = "var id = setTimeout(f, 1); id.refresh(); clearTimeout(id); x.setIntervals();\n";
  const all = 'import { setTimeout, clearTimeout } from "node:timers";\n';
  assertEquals(timersOfNode(`var a = 1;\n${npm}`, npm), all);
  assertEquals(timersOfNode("var b = setInterval(f, 1);\n", "var plain;\n"), "");
  const renamed = 'import { setTimeout as sleep } from "node:timers/promises";\n';
  assertEquals(timersOfNode(renamed + npm, npm), all);
  const one = 'import { clearTimeout } from "node:timers";\n';
  for (
    const head of [
      'import { setTimeout } from "node:timers";\n',
      'import { a, setTimeout, b } from "./chunk.js";\n',
      "var setTimeout = wrap();\n",
      "function setTimeout() {}\n",
    ]
  ) assertEquals(timersOfNode(head + npm, npm), one, head);
});

Deno.test("npmFile() tells name, version and file, whatever the registry", () => {
  const file = npmFile(`${CACHE}/registry.npmjs.org/@a/b/1.2.3_1/dist/i.js`, CACHE);
  assertEquals(file, {
    package: { name: "@a/b", version: "1.2.3", root: `${CACHE}/registry.npmjs.org/@a/b/1.2.3_1` },
    path: "npm/@a/b/1.2.3/dist/i.js",
  });
  const behind = npmFile(`${CACHE}/host.example/api/npm/zod/4.1.12/index.js`, CACHE);
  assertEquals([behind?.package.name, behind?.path], ["zod", "npm/zod/4.1.12/index.js"]);
  assertEquals(npmFile("/elsewhere/zod/4.1.12/index.js", CACHE), undefined);
  assertThrows(() => npmFile(`${CACHE}/what.js`, CACHE));
});

Deno.test("npmModule() keeps a module's way to the files beside it", () => {
  const path = "../cache/deno/npm/r/etcd3/1.0.0/lib/pool.js";
  const file = npmFile(`${CACHE}/r/etcd3/1.0.0/lib/pool.js`, CACHE)!;
  const text =
    `// ${path}\nvar x = __commonJS({ "${path}"() { load(\`\${__dirname}/../a.proto\`); } });\n`;
  assertEquals(npmModule(path, text, file), {
    text: "// npm/etcd3/1.0.0/lib/pool.js\n" +
      'var x = __commonJS({ "npm/etcd3/1.0.0/lib/pool.js"() { ' +
      'load(`${(import.meta.dirname + "/npm/etcd3/1.0.0/lib")}/../a.proto`); } });\n',
    readsFiles: true,
  });
  const url = npmModule(path, 'read(new URL("../a.wasm", import.meta.url));\n', file);
  assertEquals(
    url.text,
    'read(new URL("../a.wasm", new URL("./npm/etcd3/1.0.0/lib/pool.js", import.meta.url).href));\n',
  );
  assertEquals(npmModule(path, "var plain;\n", file).readsFiles, false);
});

Deno.test("bundle() imports CommonJS modules as Node does, with every supported Deno", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kafscale-bundle-" });
  try {
    await Deno.writeTextFile(
      `${folder}/cjs.cjs`,
      'Object.defineProperty(exports, "__esModule", { value: true }); exports.answer = 42;\n',
    );
    await Deno.writeTextFile(
      `${folder}/entry.ts`,
      'import whole, { answer } from "./cjs.cjs";\nconsole.log(whole.answer, answer);\n',
    );
    const out = `${folder}/out`;
    await deno(["bundle", "--quiet", "--code-splitting", "--outdir", out, `${folder}/entry.ts`]);
    const text = nodesDefault(await Deno.readTextFile(`${out}/entry.js`));
    await Deno.writeTextFile(`${out}/entry.js`, text);
    assertEquals(await deno(["run", `${out}/entry.js`]), "42 42\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
