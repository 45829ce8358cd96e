import { assertEquals } from "@std/assert";
import { untidy } from "./tidy.ts";

Deno.test("untidy() reports machine paths, registry hosts, conflicts and lone tests", () => {
  const cases: Record<string, string> = {
    'const x = "/work/main/core";\n': "a path of somebody's machine",
    "see https://registry.npmjs.org/zod\n": "a registry's host",
    "<<<<<<< HEAD\n": "a merge conflict",
    'Deno.test.only("x", f);\n': "a test that keeps the others from running",
  };
  for (const [text, what] of Object.entries(cases)) {
    assertEquals(untidy("a.ts", text).map((line) => line.includes(what)), [true], text);
  }
});

Deno.test("untidy() reports line ends, and nothing about a clean file", () => {
  assertEquals(untidy("a.ts", "x"), ["a.ts: does not end with a line feed"]);
  assertEquals(untidy("a.ts", "x\r\n"), ["a.ts: has CRLF line ends"]);
  assertEquals(untidy("a.ts", "const framework = 1;\n"), []);
  assertEquals(untidy("a.ts", ""), []);
});
