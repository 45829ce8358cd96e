import type { AnyApi } from "../protocol/api.ts";
import { type CountErrors, errorCounter } from "../protocol/response_errors.ts";
import { LatencyHistogram } from "../runtime/mod.ts";

/** Counters of one API since start, over all connections and versions; metrics read them. */
export interface ApiStats {
  readonly apiKey: number;
  readonly name: string;
  readonly requests: number;
  /** Requests that a handler failed on: their connections were closed. */
  readonly failures: number;
  /** Responses with at least one error code in them. */
  readonly errorResponses: number;
  /** How often each error code was answered; a response may hold many. */
  readonly errorCodes: ReadonlyMap<number, number>;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** From its bytes' arrival to the encoded response, waiting included. */
  readonly latencyMs: LatencyHistogram;
}

/** All that is measured on the way of each request; bench/metrics_cost turns it off and on. */
export class ApiMeter implements ApiStats {
  readonly apiKey: number;
  readonly name: string;
  requests = 0;
  failures = 0;
  errorResponses = 0;
  readonly errorCodes = new Map<number, number>();
  requestBytes = 0;
  responseBytes = 0;
  readonly latencyMs = new LatencyHistogram();
  readonly #countErrors: CountErrors;

  constructor(api: AnyApi) {
    this.apiKey = api.key;
    this.name = api.name;
    this.#countErrors = errorCounter(api);
  }

  /** A request is about to be served. */
  began(frameBytes: number): void {
    this.requests++;
    this.requestBytes += frameBytes;
  }

  /** Its handler has come to an answer, at `nowMs`. */
  ended(response: unknown, startedMs: number, nowMs: number): void {
    this.latencyMs.observe(nowMs - startedMs);
    if (this.#countErrors(response, this.errorCodes) > 0) this.errorResponses++;
  }

  /** The answer is encoded, and so many bytes long. */
  answered(responseBytes: number): void {
    this.responseBytes += responseBytes;
  }
}
