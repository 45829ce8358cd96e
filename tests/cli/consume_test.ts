/** `consume` goes on where brokers come and go; Apache Kafka's, too (KAFSCALE_TEST_TARGET). */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { passes, Patience } from "../../plugins/cli/patience.ts";
import { BrokerProcess } from "../clients/broker_process.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { cli, spawnCli } from "./run_cli.ts";

/** Long enough for a machine that does much else. */
const PATIENT_MS = 90_000;

function failure(properties: Record<string, unknown>, inside: unknown[] = []): Error {
  const error = inside.length === 0 ? new Error("x") : new AggregateError(inside, "x");
  return Object.assign(error, properties);
}

Deno.test("passes() takes what may be tried again, if nothing else is inside", () => {
  const refused = failure({ code: "PLT_KFK_NETWORK", canRetry: true });
  const fenced = failure({ apiId: "UNKNOWN_MEMBER_ID", canRetry: false, needsRejoin: true });
  const denied = failure({ apiId: "TOPIC_AUTHORIZATION_FAILED", canRetry: false });
  assertEquals([refused, fenced, denied].map(passes), [true, true, false]);
  assert(passes(failure({}, [refused, failure({}, [fenced, new Error("ECONNREFUSED")])])));
  assert(!passes(failure({ canRetry: true }, [refused, denied])));
  assert(!passes(new TypeError("a fault of the program")));
});

Deno.test("Patience waits for what worked before, and not for ever", async () => {
  const network = failure({ code: "PLT_KFK_NETWORK", canRetry: true });
  const { signal } = new AbortController();
  const patience = new Patience("test", "b:1", signal);
  await assertRejects(() => patience.wait(network), Error, "x");
  await patience.wait(failure({ apiId: "COORDINATOR_NOT_AVAILABLE", canRetry: true }));
  patience.begun();
  await patience.wait(network);
  await assertRejects(() => patience.wait(failure({ canRetry: false })), Error, "x");
  const short = new Patience("test", "b:1", signal, -1);
  short.begun();
  await assertRejects(() => short.wait(network), Error, "x");
  const over = new Patience("test", "b:1", AbortSignal.abort());
  over.begun();
  await assertRejects(() => over.wait(network), Error, "x");
});

/** A command that runs, and what it has printed so far. */
function reading(args: readonly string[]) {
  const child = spawnCli(args);
  const printed = { out: "", err: "" };
  const collect = async (from: ReadableStream<Uint8Array>, name: keyof typeof printed) => {
    for await (const text of from.pipeThrough(new TextDecoderStream())) printed[name] += text;
  };
  const ended = Promise.all([collect(child.stdout, "out"), collect(child.stderr, "err")])
    .then(async () => (await child.status).code);
  const interrupt = async () => {
    // it may have ended by itself, which its code tells
    if (await Promise.race([ended, undefined]) === undefined) child.kill("SIGINT");
    return await ended;
  };
  return { printed, interrupt };
}

for (const how of [["--follow"], ["--group", "g"]]) {
  Deno.test({
    name: `consume ${how.join(" ")} goes on after its broker was killed and started again`,
    fn: async () => {
      await using broker = await BrokerProcess.start({
        env: { KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "0" },
      });
      const at = ["-b", broker.bootstrap];
      const produce = async (line: string) =>
        assertEquals((await cli(["produce", "t", ...at], { stdin: `${line}\n` })).code, 0);
      await produce("before");
      const { printed, interrupt } = reading([
        "consume",
        "t",
        "--from-beginning",
        ...how,
        ...at,
      ]);
      const shown = (line: string) =>
        waitUntil(
          `"${line}"`,
          () => printed.out.split("\n").includes(line) || undefined,
          PATIENT_MS,
        );
      try {
        await shown("before");
        await broker.kill();
        await waitUntil(
          "the outage to be noticed",
          () => printed.err.includes("trying again") || undefined,
          PATIENT_MS,
        );
        await broker.restart();
        await produce("after");
        await shown("after");
      } catch (error) {
        const code = await interrupt();
        throw new Error(`code ${code}\n${printed.out}\n${printed.err}`, { cause: error });
      }
      assertEquals(await interrupt(), 0, printed.err);
      assertStringIncludes(printed.err, "cannot reach a broker");
    },
  });
}
