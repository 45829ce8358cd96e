/** Counters of one API since start, over all connections and versions; metrics read them. */
export interface ApiStats {
  readonly apiKey: number;
  readonly name: string;
  requests: number;
  /** Requests that a handler failed on (its connection was closed); error codes are not counted. */
  failures: number;
  requestBytes: number;
  responseBytes: number;
  /** From the parsed frame to the encoded response, waiting included. */
  latencySumMs: number;
  latencyMaxMs: number;
}

export function newApiStats(apiKey: number, name: string): ApiStats {
  return {
    apiKey,
    name,
    requests: 0,
    failures: 0,
    requestBytes: 0,
    responseBytes: 0,
    latencySumMs: 0,
    latencyMaxMs: 0,
  };
}
