import { assertEquals } from "@std/assert";
import { handlers } from "../../core/handlers/mod.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { fetch } from "../../core/protocol/messages/01_fetch.ts";
import { produce } from "../../core/protocol/messages/00_produce.ts";
import { addPartitionsToTxn } from "../../core/protocol/messages/24_add_partitions_to_txn.ts";
import { errorCounter } from "../../core/protocol/response_errors.ts";
import { defaultsOf, schemaOf } from "../../core/protocol/schema.ts";

Deno.test("errorCounter() finds codes at every depth, and counts each", () => {
  const counts = new Map<number, number>();
  const partitions = [{ errorCode: 0 }, { errorCode: 6 }, {}, { errorCode: 6 }];
  const response = { errorCode: 70, responses: [{ partitions }, { partitions: [] }] };
  assertEquals(errorCounter(fetch)(response, counts), 3);
  assertEquals([...counts], [[70, 1], [6, 2]]);
});

Deno.test("errorCounter() counts nothing in a success, nor where there is no response", () => {
  const counts = new Map<number, number>();
  const response = { responses: [{ partitionResponses: [{ errorCode: ErrorCode.NONE }] }] };
  assertEquals(errorCounter(produce)(response, counts), 0);
  assertEquals(errorCounter(produce)(undefined, counts), 0);
  assertEquals(counts.size, 0);
});

Deno.test("errorCounter() knows codes under other names", () => {
  const counts = new Map<number, number>();
  const resultsByPartition = [{ partitionIndex: 0, partitionErrorCode: 48 }];
  const response = { resultsByTopicV3AndBelow: [{ name: "t", resultsByPartition }] };
  assertEquals(errorCounter(addPartitionsToTxn)(response, counts), 1);
});

Deno.test("every served API's default response counts as one without errors", () => {
  for (const { api } of handlers) {
    const response = defaultsOf(schemaOf(api)!.response);
    assertEquals(errorCounter(api)(response, new Map()), 0, api.name);
  }
});
