/** kcat (librdkafka's command-line client), as the README shows it. */
import { assertEquals, assertMatch } from "@std/assert";
import { denoAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { openBroker } from "./suite.ts";

let opened: ReturnType<typeof openBroker> | undefined;

async function kcat(args: string, input = ""): Promise<string> {
  opened ??= openBroker();
  const { bootstrap } = await opened;
  const child = new Deno.Command("kcat", {
    args: ["-b", bootstrap, ...args.split(" ")],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, 0, `kcat ${args}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** kcat creates no topics. */
async function makeTopic(): Promise<string> {
  opened ??= openBroker();
  const { bootstrap } = await opened;
  const topic = `kcat-${crypto.randomUUID().slice(0, 8)}`;
  const agent = await denoAgent("kafkajs_agent.mjs", bootstrap);
  await agent.call("createTopic", { topic, partitions: 2 });
  await agent.stop();
  return topic;
}

function test(criterion: string, fn: () => Promise<void>): void {
  Deno.test({ name: `kcat: ${criterion}`, sanitizeOps: false, sanitizeResources: false, fn });
}

if (haveTools("kcat", "kcat")) {
  test("produces keys, headers and all codecs, consumes them", async () => {
    const topic = await makeTopic();
    for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
      await kcat(
        `-P -t ${topic} -p 0 -K: -z ${codec} -H codec=${codec}`,
        `k1:${codec} one\nk2:two\n`,
      );
    }
    const read = await kcat(`-C -t ${topic} -p 0 -o beginning -e -q -f %o|%k|%s|%h;`);
    const wanted = ["none", "gzip", "snappy", "lz4", "zstd"].flatMap((codec, index) => [
      `${index * 2}|k1|${codec} one|codec=${codec};`,
      `${index * 2 + 1}|k2|two|codec=${codec};`,
    ]);
    assertEquals(read, wanted.join(""));
    assertEquals(await kcat(`-C -t ${topic} -p 0 -o -1 -e -q -f %s`), "two");
  });

  test("lists metadata and finds offsets by timestamp", async () => {
    const topic = await makeTopic();
    await kcat(`-P -t ${topic} -p 1`, "a\nb\n");
    assertMatch(await kcat(`-L -t ${topic}`), /topic "kcat-\w+" with 2 partitions/);
    assertMatch(await kcat(`-Q -t ${topic}:1:0`), /\[1\] offset 0/);
    assertMatch(await kcat(`-Q -t ${topic}:1:-1`), /\[1\] offset 2/);
  });

  test("consumes as a group and goes on where it stopped", async () => {
    const topic = await makeTopic();
    await kcat(`-P -t ${topic} -p 0`, "1\n2\n3\n");
    const group = `-G group-${topic} -X auto.offset.reset=earliest -q -c`;
    assertEquals(await kcat(`${group} 2 ${topic}`), "1\n2\n");
    assertEquals(await kcat(`${group} 1 ${topic}`), "3\n");
  });

  Deno.test.afterAll(async () => {
    await (await opened?.catch(() => undefined))?.close();
  });
}
