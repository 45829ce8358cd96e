/**
 * kafka-clients 4.1 as an oracle: Oracle.java answers questions about the wire formats with Kafka's
 * own classes. All questions of a test go to one JVM, which takes about two seconds to start.
 */
import { kafkaJars } from "../../clients/install.ts";
import { haveTools } from "../../clients/requirement.ts";

/** False, said loudly, when there is no Java; an exception in CI. */
export const haveOracle = haveTools("kafka-clients as an oracle", "java", "mvn");

export type Question =
  /** Bytes, in hex, of a message given in Kafka's JSON form. */
  | { ask: "message"; name: string; version: number; json: unknown }
  /** All APIs with their stable versions. */
  | { ask: "apis" }
  /** All error codes. */
  | { ask: "errors" }
  /** Bytes, in hex, of a record batch; arrays in hex. */
  | {
    ask: "build";
    codec: string;
    baseOffset: number;
    producerId: number;
    producerEpoch: number;
    baseSequence: number;
    records: readonly OracleRecord[];
  }
  /** The records in batches. */
  | { ask: "records"; hex: string }
  /** The name of the error that a produce request with these records gets. */
  | { ask: "validate"; version: number; hex: string };

/** A record with its bytes in hex. */
export interface OracleRecord {
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly { readonly key: string; readonly value: string | null }[];
}

/** The answers in the order of the questions; `{ failure }` where Kafka threw. */
export async function askKafka<Answer>(questions: readonly Question[]): Promise<Answer[]> {
  const home = Deno.env.get("KAFKA_CLI_HOME");
  const jars = home === undefined ? await kafkaJars() : `${home}/libs/*`;
  const program = new URL("./Oracle.java", import.meta.url).pathname;
  const java = new Deno.Command("java", {
    args: ["-Xmx512m", "-cp", jars, program],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines = questions.map((question) => JSON.stringify(question) + "\n");
  const asked = new Blob(lines).stream().pipeTo(java.stdin).catch(() => {});
  const { code, stdout, stderr } = await java.output();
  await asked;
  if (code !== 0) throw new Error(`the oracle failed: ${new TextDecoder().decode(stderr)}`);
  const answers = new TextDecoder().decode(stdout).trimEnd().split("\n");
  if (answers.length !== questions.length) throw new Error("the oracle left questions unanswered");
  return answers.map((line) => JSON.parse(line) as Answer);
}
