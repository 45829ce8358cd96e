import { assert, assertEquals } from "@std/assert";
import { stripAnsiCode } from "@std/fmt/colors";
import { bytes, count, digits, duration } from "../../plugins/cli/terminal/figures.ts";
import { cut } from "../../plugins/cli/terminal/live_screen.ts";
import { bar } from "../../plugins/cli/terminal/progress.ts";
import { table } from "../../plugins/cli/terminal/table.ts";

const RED = (text: string) => `\x1b[31m${text}\x1b[39m`;

Deno.test("table() aligns columns, numbers to the right, without blanks at the ends", () => {
  const columns = [{ title: "NAME" }, { title: "N", right: true }, { title: "" }] as const;
  assertEquals(table(columns, [["a", "1", ""], ["longer", "1000", "x"]], false), [
    "NAME       N",
    "a          1",
    "longer  1000  x",
  ]);
  assertEquals(table(columns, [], false), ["NAME  N"]);
});

Deno.test("table() counts what is seen, not colours, and lets no control character through", () => {
  const columns = [{ title: "A" }, { title: "B" }];
  const rows = [[{ text: "é1", style: RED }, "x"], ["\x1b[2Jbad\n", "y"]];
  assertEquals(table(columns, rows, false), [
    "A         B",
    "é1        x",
    "\ufffd[2Jbad\ufffd  y",
  ]);
  const styled = table(columns, rows, true);
  assert(styled[1]!.startsWith(RED("é1")), styled[1]);
  assertEquals(styled.map(stripAnsiCode), table(columns, rows, false));
});

Deno.test("figures have three digits and the unit that suits them", () => {
  assertEquals([0, 640, 1000, 1_234_567, 5 * 2 ** 40].map(bytes), [
    "0 B",
    "640 B",
    "0.977 KiB",
    "1.18 MiB",
    "5.00 TiB",
  ]);
  assertEquals([0.1234, 4.564, 78.91, 1234.5].map(digits), ["0.123", "4.56", "78.9", "1,235"]);
  assertEquals([count(1_234_567), count(12n)], ["1,234,567", "12"]);
  assertEquals([850.4, 12_540, 200_000, 18_720_000].map(duration), [
    "850 ms",
    "12.5 s",
    "3 min 20 s",
    "5 h 12 min",
  ]);
});

Deno.test("bar() shows how far it is, whatever it is told", () => {
  assertEquals(bar("work", 0.5, "now"), `work  [${"█".repeat(12)}${" ".repeat(12)}]  50 %  now`);
  assertEquals(bar("work", 2, ""), `work  [${"█".repeat(24)}]  100 %  `);
  assertEquals(bar("work", -1, ""), `work  [${" ".repeat(24)}]  0 %  `);
});

Deno.test("cut() keeps the colours of what it keeps", () => {
  assertEquals(cut("abcdef", 4), "abcd");
  assertEquals(cut(`ab${RED("cdef")}`, 4), `ab${RED("cd")}`);
  assertEquals(cut("äöü€", 10), "äöü€");
});
