import { assertEquals } from "@std/assert";
import { readReplicas } from "../../core/cluster/read_replicas.ts";

const broker = (brokerId: number, rack: string | null, draining = false) => ({
  brokerId,
  rack,
  draining,
});

Deno.test("readReplicas() has one broker of each rack but the leader's", () => {
  const brokers = [broker(1, "a"), broker(2, "b"), broker(3, "c"), broker(4, "a")];
  assertEquals(readReplicas(brokers, 1, "t", 0), [2, 3]);
  assertEquals(readReplicas(brokers, 4, "t", 0), [2, 3]);
  assertEquals(readReplicas([broker(1, "a"), broker(4, "a")], 1, "t", 0), []);
});

Deno.test("readReplicas() leaves out brokers without a rack and those that drain", () => {
  const brokers = [broker(1, null), broker(2, null), broker(3, "c"), broker(4, "d", true)];
  assertEquals(readReplicas(brokers, 1, "t", 0), [3]);
});

Deno.test("readReplicas() spreads partitions over the brokers of a rack", () => {
  const brokers = [broker(1, "a"), broker(2, "b"), broker(3, "b"), broker(4, "b")];
  const chosen = Array.from({ length: 9 }, (_, at) => readReplicas(brokers, 1, "t", at)[0]!);
  for (const id of [2, 3, 4]) assertEquals(chosen.filter((each) => each === id).length, 3);
});
