import { assertEquals } from "@std/assert";
import { ProducerStates } from "../../core/log/producer_state.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import type { BatchRow } from "../../core/storage/wal/format.ts";

const ID = 1_000;

function row(baseSequence: number, records: number, baseOffset: number, epoch = 0): BatchRow {
  return {
    baseOffset,
    lastOffsetDelta: records - 1,
    position: 0,
    length: 100,
    maxTimestampMs: 0,
    leaderEpoch: 0,
    attributes: 0,
    producerId: ID,
    producerEpoch: epoch,
    baseSequence,
    object: 0,
  };
}

function states(...rows: BatchRow[]): ProducerStates<string> {
  const all = new ProducerStates<string>();
  for (const each of rows) all.apply(each, `commit of ${each.baseOffset}`, 10);
  return all;
}

Deno.test("check() accepts the sequence that follows", () => {
  assertEquals(states(row(0, 5, 0)).check(ID, 0, 5, 2).kind, "accept");
});

Deno.test("check() accepts any first sequence of an unknown producer", () => {
  assertEquals(states().check(ID, 3, 17, 0).kind, "accept");
});

Deno.test("check() refuses a gap", () => {
  const verdict = states(row(0, 5, 0)).check(ID, 0, 6, 0);
  assertEquals(
    verdict.kind === "refuse" && verdict.errorCode,
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  );
});

Deno.test("check() recognises each of the last five batches, with its offset and commit", () => {
  const rows = [0, 1, 2, 3, 4, 5].map((n) => row(n * 10, 10, 100 + n * 10));
  const all = states(...rows);
  for (const known of rows.slice(1)) {
    const verdict = all.check(ID, 0, known.baseSequence, 9);
    assertEquals(
      verdict.kind === "duplicate" && [verdict.batch.baseOffset, verdict.batch.pending],
      [known.baseOffset, `commit of ${known.baseOffset}`],
    );
  }
  assertEquals(all.check(ID, 0, 0, 9).kind, "refuse");
});

Deno.test("check() takes an overlap that is no exact repetition for out of order", () => {
  assertEquals(states(row(0, 5, 0)).check(ID, 0, 0, 3).kind, "refuse");
});

Deno.test("check() refuses an older epoch", () => {
  const verdict = states(row(0, 1, 0, 4)).check(ID, 3, 1, 0);
  assertEquals(verdict.kind === "refuse" && verdict.errorCode, ErrorCode.INVALID_PRODUCER_EPOCH);
});

Deno.test("check() wants a newer epoch to start at sequence 0", () => {
  assertEquals(states(row(0, 1, 0)).check(ID, 1, 0, 0).kind, "accept");
  assertEquals(states(row(0, 1, 0)).check(ID, 1, 1, 0).kind, "refuse");
});

Deno.test("check() follows a sequence over 2^31-1 to 0", () => {
  const last = 2 ** 31 - 1;
  assertEquals(states(row(last - 2, 3, 0)).check(ID, 0, 0, 0).kind, "accept");
  const wrapped = states(row(last - 1, 4, 0));
  assertEquals(wrapped.check(ID, 0, 2, 0).kind, "accept");
  assertEquals(wrapped.check(ID, 0, last - 1, 3).kind, "duplicate");
});

Deno.test("entries() rebuild the same verdicts", () => {
  const all = states(row(0, 5, 0), row(5, 5, 5));
  const again = new ProducerStates<string>(all.entries());
  assertEquals(again.check(ID, 0, 5, 4).kind, "duplicate");
  assertEquals(again.check(ID, 0, 10, 0).kind, "accept");
  assertEquals(again.entries(), all.entries());
});

Deno.test("expire() forgets the longest silent above the limit, and by time", () => {
  const all = new ProducerStates<string>();
  for (let id = 0; id < 10; id++) all.apply({ ...row(0, 1, id), producerId: id }, undefined, id);
  all.expire(0, 4);
  assertEquals(all.entries().map((entry) => entry.producerId), [6, 7, 8, 9]);
  all.expire(8, 4);
  assertEquals(all.entries().map((entry) => entry.producerId), [8, 9]);
});
