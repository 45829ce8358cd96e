/** What the APIs that change topics share: permission, duplicates, assignments, time limit. */
import type { TopicOutcome } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { Rooms } from "./rooms.ts";

export interface Refusal {
  readonly errorCode: ErrorCodeValue;
  readonly errorMessage: string;
}

export function refusal(errorCode: ErrorCodeValue, errorMessage: string): Refusal {
  return { errorCode, errorMessage };
}

/** The refusal of every change where KAFSCALE_ALLOW_ADMIN_APIS is off, else undefined. */
export function adminRefusal(
  rooms: Rooms,
  errorCode: ErrorCodeValue = ErrorCode.TOPIC_AUTHORIZATION_FAILED,
): Refusal | undefined {
  if (rooms.config.allowAdminApis) return undefined;
  return refusal(errorCode, "admin APIs are turned off on this broker (KAFSCALE_ALLOW_ADMIN_APIS)");
}

/** Names that occur more than once. */
export function repeated(names: Iterable<string>): ReadonlySet<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) (seen.has(name) ? twice : seen).add(name);
  return twice;
}

/** Why these replicas cannot be a partition's: shared storage takes any set of known brokers. */
export function replicasFault(rooms: Rooms, brokerIds: readonly number[]): Refusal | undefined {
  const known = new Set(rooms.cluster.brokers().map((broker) => broker.nodeId));
  const fault = brokerIds.length === 0
    ? "The manual partition assignment includes an empty replica list."
    : new Set(brokerIds).size !== brokerIds.length
    ? "The manual partition assignment includes a broker more than once."
    : brokerIds.some((id) => !known.has(id))
    ? `The manual partition assignment includes broker ${
      brokerIds.find((id) => !known.has(id))
    }, but no such broker is registered.`
    : undefined;
  return fault === undefined ? undefined : refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, fault);
}

/** The first broker of each partition; undefined where one broker leads everything anyway. */
export function preferredLeaders(
  rooms: Rooms,
  assignments: readonly { readonly brokerIds: readonly number[] }[],
): number[] | undefined {
  return rooms.cluster.shared ? assignments.map(({ brokerIds }) => brokerIds[0]!) : undefined;
}

/**
 * The outcomes, or REQUEST_TIMED_OUT for each when they take longer than the client waits (0 or
 * less: the broker's own limit). The changes go on all the same, as in Kafka.
 */
export async function outcomesWithin(
  rooms: Rooms,
  timeoutMs: number,
  count: number,
  outcomes: Promise<TopicOutcome[]>,
): Promise<TopicOutcome[]> {
  const limitMs = timeoutMs > 0 ? timeoutMs : rooms.config.requestTimeoutMs;
  let timer: { cancel(): void } | undefined;
  const late = new Promise<TopicOutcome[]>((resolve) => {
    timer = rooms.runtime.timers.after(limitMs, () =>
      resolve(Array.from({ length: count }, () => ({
        ...refusal(ErrorCode.REQUEST_TIMED_OUT, "the change was not confirmed in time"),
        topic: undefined,
      }))));
  });
  try {
    return await Promise.race([outcomes, late]);
  } finally {
    timer?.cancel();
  }
}
