/**
 * The fuzz targets: pure functions of a seed that throw when a property is broken. `smoke_test.ts`
 * runs each for a moment; `main.ts` runs one for long, or repeats a seed.
 */
import { canary } from "./canary.ts";
import { fuzzHeaders, fuzzMessages } from "./protocol_messages.ts";
import { fuzzBatches, fuzzCompression } from "./protocol_batches.ts";

export interface FuzzTarget {
  readonly name: string;
  /** One run of at most `eventsMax` inputs, all drawn from `seed`. */
  readonly run: (seed: string, eventsMax: number) => void;
  /** Inputs per seed in the smoke run. */
  readonly smokeEvents: number;
  /** The canary alone must fail on some seeds: so it is known that failures are seen. */
  readonly mustFail?: true;
}

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  { name: "canary", run: canary, smokeEvents: 10, mustFail: true },
  { name: "protocol/messages", run: fuzzMessages, smokeEvents: 300 },
  { name: "protocol/headers", run: fuzzHeaders, smokeEvents: 500 },
  { name: "protocol/batches", run: fuzzBatches, smokeEvents: 200 },
  { name: "protocol/compression", run: fuzzCompression, smokeEvents: 200 },
];
