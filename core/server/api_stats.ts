import { LatencyHistogram } from "../runtime/mod.ts";

/** Counters of one API since start, over all connections and versions; metrics read them. */
export interface ApiStats {
  readonly apiKey: number;
  readonly name: string;
  requests: number;
  /** Requests that a handler failed on: their connections were closed. */
  failures: number;
  /** Responses with at least one error code in them. */
  errorResponses: number;
  /** How often each error code was answered; a response may hold many. */
  readonly errorCodes: Map<number, number>;
  requestBytes: number;
  responseBytes: number;
  /** From the parsed frame to the encoded response, waiting included. */
  readonly latencyMs: LatencyHistogram;
}

export function newApiStats(apiKey: number, name: string): ApiStats {
  return {
    apiKey,
    name,
    requests: 0,
    failures: 0,
    errorResponses: 0,
    errorCodes: new Map(),
    requestBytes: 0,
    responseBytes: 0,
    latencyMs: new LatencyHistogram(),
  };
}
