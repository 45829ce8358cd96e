/** What core pays to count a request, by its own code: no setting turns that off. */
import process from "node:process";
import { errorCounter } from "../../core/protocol/response_errors.ts";
import { fetch } from "../../core/protocol/messages/01_fetch.ts";
import { produce } from "../../core/protocol/messages/00_produce.ts";
import { TrafficByTopic } from "../../core/log/topic_traffic.ts";
import { newApiStats } from "../../core/server/api_stats.ts";

const REPEATS = 200_000;
const ROUNDS = 12;
/** They make the machine code that the others run. */
const WARM_ROUNDS = 3;

export interface Counting {
  /** Microseconds of processor time a request, at most. */
  readonly produce: number;
  readonly fetch: number;
}

export function countingMicroseconds(): Counting {
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, lastStableOffset: 1 };
  const answers = (name: string) => [{ topic: name, name, partitions: [partition] }];
  return {
    produce: countOne(produce, { responses: answers("cost"), throttleTimeMs: 0 }),
    fetch: countOne(fetch, { errorCode: 0, responses: answers("cost"), throttleTimeMs: 0 }),
  };
}

/** The dispatcher's and the log's counting, a request's worth; the clock is read twice for it. */
function countOne(api: Parameters<typeof errorCounter>[0], response: unknown): number {
  const stats = newApiStats(api.key, api.name);
  const countErrors = errorCounter(api);
  const traffic = new TrafficByTopic().of("cost");
  const once = () => {
    const startedMs = performance.now();
    stats.requests++;
    stats.requestBytes += 512;
    if (countErrors(response, stats.errorCodes) > 0) stats.errorResponses++;
    stats.responseBytes += 64;
    traffic.producedRecords += 2;
    traffic.producedBytes += 512;
    traffic.fetchedBytes += 512;
    stats.latencyMs.observe(performance.now() - startedMs);
  };
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let repeat = 0; repeat < REPEATS; repeat++) once();
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / REPEATS);
  }
  return Math.max(...rounds.slice(WARM_ROUNDS));
}
