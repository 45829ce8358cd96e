import { assertEquals } from "@std/assert";
import { FINDINGS } from "../../core/fsck/mod.ts";

const REPAIRS = {
  "deletes": "deletes it",
  "rebuilds": "makes it anew",
  "deletes some": "deletes it behind a seal",
  "": "",
} as const;

Deno.test("docs/fsck.md explains every finding, and no other", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/fsck.md", import.meta.url));
  const rows = text.split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const wanted = Object.entries(FINDINGS).map(([code, { severity, meaning, repair }]) => [
    `\`${code}\``,
    severity,
    meaning,
    REPAIRS[repair],
  ]);
  assertEquals(rows, wanted);
});
