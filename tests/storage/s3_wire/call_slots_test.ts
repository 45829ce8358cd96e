import { assertEquals } from "@std/assert";
import { CallSlots } from "../../../drivers/storage/s3_wire/call_slots.ts";

/** Calls by name, in the order in which they got their places. */
function scene(capacity: number, kept: number) {
  const slots = new CallSlots(capacity, kept);
  const order: string[] = [];
  const take = async (name: string, urgent: boolean, signal?: AbortSignal) => {
    if (await slots.take(urgent, signal)) order.push(name);
    else order.push(`not ${name}`);
  };
  const give = async () => {
    slots.give();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { order, take, give };
}

Deno.test("CallSlots keeps places for urgent calls, whatever the others ask for", async () => {
  const { order, take, give } = scene(4, 2);
  const all = ["a", "b", "c", "d"].map((name) => take(name, false));
  await take("urgent", true);
  await take("urgent too", true);
  all.push(take("third", true));
  assertEquals(order, ["a", "b", "urgent", "urgent too"]);
  for (let at = 0; at < 4; at++) await give();
  assertEquals(order.slice(4), ["third", "c"]);
  for (let at = 0; at < 2; at++) await give();
  await Promise.all(all);
  assertEquals(order.slice(6), ["d"]);
});

Deno.test("CallSlots without kept places lets neither kind wait for all of the other", async () => {
  const { order, take, give } = scene(1, 0);
  const names = ["a", "b", "c"];
  const all = names.map((name) => take(name, false));
  all.push(...names.map((name) => take(`${name}!`, true)));
  for (let at = 0; at < 6; at++) await give();
  await Promise.all(all);
  assertEquals(order, ["a", "a!", "b", "b!", "c", "c!"]);
});

Deno.test("CallSlots gives a call that was aborted no place", async () => {
  const { order, take, give } = scene(1, 0);
  await take("first", true);
  const abort = new AbortController();
  const gone = [take("gone", true, abort.signal), take("gone", false, abort.signal)];
  const stays = take("stays", false);
  abort.abort();
  await Promise.all(gone);
  await give();
  await stays;
  await take("late", true, abort.signal);
  assertEquals(order, ["first", "not gone", "not gone", "stays", "not late"]);
});
