/** What KafScale's page about its ops API tells its readers to run, on a broker of ours. */
import { assertEquals } from "@std/assert";
import { targetIsApache } from "./broker_process.ts";
import { goClients, javaClient, pythonClients } from "./install.ts";
import { pageCommands } from "./ops_page/commands.ts";
import { haveNetwork, inNetwork } from "./ops_page/network.ts";
import { haveTools } from "./requirement.ts";

interface Part {
  readonly part: string;
  readonly criterion: string;
  readonly tools: readonly string[];
  /** Fetches the client, which cannot be done from the other network. */
  readonly install: () => Promise<string>;
}

const PARTS: readonly Part[] = [
  {
    part: "cli",
    criterion: "Kafka's own tools do every command, and print what they should",
    tools: ["java", "javac", "mvn"],
    install: javaClient,
  },
  {
    part: "python",
    criterion: "the Python program does what it says",
    tools: ["python3"],
    install: pythonClients,
  },
  {
    part: "go",
    criterion: "the Go program does what it says",
    tools: ["go", "kcat"],
    install: goClients,
  },
];

async function runPart(part: string): Promise<void> {
  const inside = new URL("ops_page/inside.ts", import.meta.url).pathname;
  const run = inNetwork([Deno.execPath(), "run", "--allow-all", inside, part]);
  const { code, stdout, stderr } = await run.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
}

/** The broker is one of its own, on the default store: a MinIO is not in that network. */
const elsewhere = targetIsApache() || Deno.env.has("KAFSCALE_TEST_BOOTSTRAP") ||
  Deno.env.has("KAFSCALE_TEST_STORE");

if (!elsewhere) {
  const here = haveTools("the ops page", "unshare", "python3") &&
    await haveNetwork("the ops page");
  for (const { part, criterion, tools, install } of PARTS) {
    Deno.test({
      name: `the ops page: ${criterion}`,
      ignore: !here || !haveTools(`the ops page: ${criterion}`, ...tools),
      fn: async () => {
        await install();
        await runPart(part);
      },
    });
  }
}

Deno.test("pageCommands() joins lines, drops comments and fills in what is in brackets", () => {
  const text = '# Say it\nkafka-topics.sh --topic <topic> \\\n  --x "a=<topic>,b"\n\n' +
    "kafka-run-class a.B\n";
  assertEquals(pageCommands(text, { topic: "t" }), [
    { about: "Say it", tool: "topics", args: ["--topic", "t", "--x", "a=t,b"] },
    { about: "Say it", tool: undefined, args: ["a.B"] },
  ]);
});
