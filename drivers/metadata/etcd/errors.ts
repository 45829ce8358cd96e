/** What goes wrong with etcd, as MetadataErrors; decided by gRPC status codes, not by text. */
import { MetadataError } from "../../../core/metadata/metadata_store.ts";

/** gRPC status codes that etcd and its client answer. */
export const Status = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** A failed gRPC call. `code` is a Status; text is for people. */
export class EtcdFault extends Error {
  override name = "EtcdFault";

  constructor(readonly code: number, message: string, readonly endpoint: string) {
    super(message);
  }

  /** The endpoint is at fault, not the request: another one may do better. */
  get passing(): boolean {
    return PASSING.has(this.code);
  }
}

const PASSING: ReadonlySet<number> = new Set([
  Status.CANCELLED,
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.ABORTED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
]);

/** The fault behind whatever the client threw. */
export function faultOf(error: unknown, endpoint: string): EtcdFault {
  if (error instanceof EtcdFault) return error;
  const { code, details } = (error ?? {}) as { code?: unknown; details?: unknown };
  const message = typeof details === "string" && details !== ""
    ? details
    : error instanceof Error
    ? error.message
    : String(error);
  const status = typeof code === "number" ? code : Status.UNAVAILABLE;
  return new EtcdFault(status, message.trim().replaceAll(/\s+/g, " "), endpoint);
}

/** A call that failed for good, said to whoever operates the broker. */
export function metadataError(fault: EtcdFault): MetadataError {
  const { code, endpoint, message } = fault;
  const options = { cause: fault };
  switch (code) {
    case Status.PERMISSION_DENIED:
    case Status.UNAUTHENTICATED:
      return new MetadataError(
        "fatal",
        `etcd at ${endpoint} refuses the broker (${message}); correct KAFSCALE_ETCD_USERNAME and ` +
          "KAFSCALE_ETCD_PASSWORD, or grant the user the keys below KAFSCALE_ETCD_PREFIX",
        options,
      );
    case Status.RESOURCE_EXHAUSTED:
      return new MetadataError(
        "retry",
        `etcd at ${endpoint} takes no more at the moment (${message}); where its space is used ` +
          "up, compact and defragment it and disarm the alarm",
        options,
      );
    case Status.INVALID_ARGUMENT:
    case Status.FAILED_PRECONDITION:
      return new MetadataError(
        "fatal",
        `etcd at ${endpoint} refuses the call: ${message}`,
        options,
      );
  }
  return new MetadataError(
    fault.passing ? "retry" : "fatal",
    `etcd at ${endpoint} does not answer: ${message}`,
    options,
  );
}

/** A transaction that is too large, seen before or by etcd. */
export function tooLargeError(bytes: number, operations: number, message: string): MetadataError {
  return new MetadataError(
    "fatal",
    `a metadata transaction of ${bytes} bytes and ${operations} operations is more than etcd ` +
      `takes (${message}); start etcd with larger --max-request-bytes and --max-txn-ops`,
  );
}

/** The password was not taken, which is certain: another endpoint would say the same. */
export function loginError(fault: EtcdFault): MetadataError {
  return new MetadataError(
    "fatal",
    `etcd at ${fault.endpoint} does not accept the user (${fault.message}); correct ` +
      "KAFSCALE_ETCD_USERNAME and KAFSCALE_ETCD_PASSWORD",
    { cause: fault },
  );
}

export function openError(endpoints: readonly string[], cause: unknown): MetadataError {
  if (cause instanceof MetadataError && cause.outcome === "fatal") return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MetadataError(
    "fatal",
    `metadata cannot be reached (${why}); start etcd, or correct KAFSCALE_ETCD_ENDPOINTS ` +
      `(${endpoints.join(",")}) and the TLS settings`,
    { cause },
  );
}

/** Revisions went back: etcd was replaced by an older copy of itself. */
export function lostWritesError(before: number, now: number): MetadataError {
  return new MetadataError(
    "fatal",
    `etcd went back from revision ${before} to ${now}: it was restored from an older copy; ` +
      "restart the broker, which then recovers from the bucket",
  );
}

export function closedError(): MetadataError {
  return new MetadataError("fatal", "the metadata store is closed");
}

export function lostLeaseError(): MetadataError {
  return new MetadataError("retry", "the lease of this write is lost");
}
