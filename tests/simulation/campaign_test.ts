import { assertEquals, assertStringIncludes } from "@std/assert";
import { commandOf, resultOf, run } from "./campaign.ts";

Deno.test("campaign: every seed is run once, whatever the pieces", async () => {
  const { ran, failures } = await run({ first: "70", count: 2, brokers: 1, piece: 1 });
  assertEquals({ ran, failures }, { ran: 2, failures: [] });
});

Deno.test("campaign: a process that dies is a failure, with its replay", async () => {
  const lost = { first: "1", count: 2, brokers: 0, adjust: "nothing-of-that-name" };
  const { ran, failures } = await run(lost);
  assertEquals(ran, 0);
  assertEquals(failures.length, 1);
  assertStringIncludes(failures[0]!, "the process ended with code 1");
  assertStringIncludes(failures[0]!, "deno task simulate --seed 1 --brokers any --adjust nothing");
});

Deno.test("campaign: a seed that fails is told with its problems and its replay", () => {
  const output = `seed 7
  0.000 world 1 broker
  50 virtual ms in 3 ms
seed 8
  0.000 world 1 broker
  60 virtual ms in 4 ms
  FAILED: I1: something is lost
  replay: deno task simulate --seed 8 --verbose
seed 9
  0.000 world 1 broker
  60 virtual ms in 4 ms
met: merges 4
1 of 3 seeds failed
`;
  const { ran, failures } = resultOf(output);
  assertEquals(ran, 3);
  assertEquals(failures.length, 1);
  assertStringIncludes(failures[0]!, "seed 8\n");
  assertStringIncludes(failures[0]!, "FAILED: I1: something is lost");
  assertStringIncludes(failures[0]!, "replay: deno task simulate --seed 8 --verbose");
});

Deno.test("campaign: one command repeats all of it", () => {
  assertEquals(
    commandOf({ first: "5", count: 100, brokers: 0, adjust: "doubles" }),
    "deno task simulate --seed 5 --brokers any --adjust doubles --count 100",
  );
});
