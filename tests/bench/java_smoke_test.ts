/** The benches that Kafka's own tools drive, at their smoke size. No figure is looked at. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { javaIsThere } from "../../bench/end_to_end/java_tools.ts";
import { haveMinio } from "../services/minio.ts";
import { runBench } from "./run_bench.ts";

const java = await javaIsThere();
if (!java && Deno.env.get("CI") !== undefined) throw new Error("CI has no java");

Deno.test({
  name: "bench/end_to_end smoke: every record of Kafka's own tools arrives",
  ignore: !java,
  fn: async () => {
    const text = await runBench("bench/end_to_end/main.ts", ["--smoke", "--ours-only"]);
    assertStringIncludes(text, "smoke: every record arrived");
  },
});

Deno.test({
  name: "bench/on_minio smoke: every record arrives, and its table has no hole",
  ignore: !java || !await haveMinio("bench/on_minio"),
  fn: async () => {
    const text = await runBench("bench/on_minio.ts", ["--smoke"]);
    assertStringIncludes(text, "smoke: every record arrived");
    const rows = text.split("\n").filter((line) => / ms |MiB\/s /.test(line));
    assertEquals(rows.length, 9, text);
    for (const row of rows) assert(!row.includes("–"), row);
  },
});

Deno.test({
  name: "bench/spacing smoke: a row for each spacing, without a hole",
  ignore: !java || !await haveMinio("bench/spacing"),
  fn: async () => {
    const size = ["--records", "2000", "--store-ms", "5", "--spacings-ms", "20,10"];
    const text = await runBench("bench/spacing.ts", size);
    const rows = text.split("\n").filter((line) => /^(20|10)( +[\d.]+){5}$/.test(line.trim()));
    assertEquals(rows.length, 2, text);
  },
});
