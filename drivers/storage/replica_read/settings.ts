/** How long a replica is waited for, and left alone; there is no need for an operator to choose. */
export interface ReplicaLimits {
  /** A read that takes longer, the transfer of its bytes not counted, goes to the primary. */
  readonly patienceMs: number;
  /** Failures in a row after which the replica is left alone. */
  readonly failures: number;
  /** For how long: it doubles with each trial that fails, and is jittered. */
  readonly restMinMs: number;
  readonly restMaxMs: number;
}

/** A replica is there because it is near: what takes seconds is quicker from the primary. */
export const REPLICA_LIMITS: ReplicaLimits = {
  patienceMs: 1_000,
  failures: 3,
  restMinMs: 2_000,
  restMaxMs: 60_000,
};

/** Bytes that a replica moves in a millisecond at least (4 MiB/s). */
export const BYTES_PER_MS_FLOOR = 4_096;

/** Buffers of a block kept for answers of the replica; more are allocated and dropped. */
export const SCRATCH_BLOCKS = 8;
