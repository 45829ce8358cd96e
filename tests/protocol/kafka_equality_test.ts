import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "./hex.ts";
import { Writer } from "../../core/bytes/mod.ts";
import { apiByKey, apis } from "../../core/protocol/apis.ts";
import { allErrors } from "../../core/protocol/errors.ts";
import { responseHeaderIsFlexible } from "../../core/protocol/headers.ts";
import { schemaOf } from "../../core/protocol/schema.ts";
import { Prng } from "../simulation/prng.ts";
import { askKafka, haveOracle, type Question } from "./oracle/oracle.ts";
import { kafkaJson, randomMessage } from "./random_message.ts";

const MESSAGES_PER_VERSION = 4;

interface KafkaApi {
  key: number;
  name: string;
  minVersion: number;
  maxVersion: number;
  flexibleFrom: number;
  responseHeaders: number[];
}

Deno.test({
  name: "Codec.write() gives the bytes of kafka-clients' own classes, for every API and version",
  ignore: !haveOracle,
  async fn() {
    const prng = new Prng("kafka equality");
    const questions: Question[] = [];
    const ours: { label: string; hex: string }[] = [];
    for (const api of apis) {
      const schema = schemaOf(api)!;
      for (let version = api.minVersion; version <= api.maxVersion; version++) {
        for (const side of ["request", "response"] as const) {
          for (let round = 0; round < MESSAGES_PER_VERSION; round++) {
            const message = randomMessage(schema[side], version, prng);
            const writer = new Writer();
            api[side].write(writer, message, version);
            const name = `${api.name}${side === "request" ? "Request" : "Response"}`;
            const json = kafkaJson(schema[side], message, version);
            questions.push({ ask: "message", name, version, json });
            ours.push({ label: `${name} v${version}`, hex: encodeHex(writer.toBytes()) });
          }
        }
      }
    }
    const theirs = await askKafka<string>(questions);
    ours.forEach(({ label, hex }, index) => assertEquals(hex, theirs[index], label));
  },
});

Deno.test({
  name: "apis have the versions and headers that Kafka 4.1 has",
  ignore: !haveOracle,
  async fn() {
    const [kafka] = await askKafka<KafkaApi[]>([{ ask: "apis" }]);
    for (const theirs of kafka!) {
      const api = apiByKey(theirs.key);
      if (api === undefined) continue;
      assertEquals(
        [api.name, api.minVersion, api.maxVersion],
        [theirs.name, theirs.minVersion, theirs.maxVersion],
      );
      const flexibleFrom = theirs.flexibleFrom < 0 ? Infinity : theirs.flexibleFrom;
      assertEquals(Math.max(api.flexibleFrom, api.minVersion), flexibleFrom, api.name);
      theirs.responseHeaders.forEach((header, index) => {
        const version = api.minVersion + index;
        assertEquals(responseHeaderIsFlexible(api, version) ? 1 : 0, header, api.name);
      });
    }
    for (const api of apis) assert(kafka!.some((theirs) => theirs.key === api.key), api.name);
  },
});

Deno.test({
  name: "errors are Kafka 4.1's, with its codes and its retriable ones",
  ignore: !haveOracle,
  async fn() {
    const [kafka] = await askKafka<unknown[]>([{ ask: "errors" }]);
    const ours = allErrors().map(({ code, name, retriable }) => ({ code, name, retriable }));
    assertEquals<unknown>(ours, kafka);
  },
});
