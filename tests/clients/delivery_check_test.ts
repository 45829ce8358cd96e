import { assertThrows } from "@std/assert";
import { assertDelivered } from "./delivery_check.ts";
import { record } from "./records.ts";

/** Records of producer 0 in partition 0 with these numbers, at offsets 0, 1, … */
const stored = (...numbers: number[]) =>
  numbers.map((number, o) => ({ ...record("0", `0 0 ${number} x`, { p: 0 }), o }));

const acknowledged = new Map([["0 0 0", 0], ["0 0 1", 1], ["0 0 2", 2]]);

Deno.test("assertDelivered() takes what is whole, and more than was acknowledged", () => {
  assertDelivered(stored(0, 1, 2), acknowledged);
  assertDelivered(stored(0, 1, 2, 3), acknowledged);
});

Deno.test("assertDelivered() finds a lost record", () => {
  assertThrows(() => assertDelivered(stored(0, 1), acknowledged), Error, "lost: 0 0 2");
});

Deno.test("assertDelivered() finds a doubled record", () => {
  assertThrows(() => assertDelivered(stored(0, 1, 2, 1), acknowledged), Error, "doubled");
});

Deno.test("assertDelivered() finds records out of order", () => {
  assertThrows(() => assertDelivered(stored(0, 2, 1), new Map()), Error, "comes after number 2");
});

Deno.test("assertDelivered() finds a record at another offset", () => {
  const other = new Map([["0 0 1", 0]]);
  assertThrows(() => assertDelivered(stored(0, 1, 2), other), Error, "another offset");
});
