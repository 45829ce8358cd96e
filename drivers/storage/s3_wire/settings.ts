/** Sizes and times of the wire, each with its reason. */

/** An answer's head, and the read buffer of a connection; S3's heads have some 500 bytes. */
export const HEAD_BYTES_MAX = 16 * 1024;

/**
 * The end of every body is sent from a copy. Until it has left, no server takes the object for
 * whole, so that a body may be reused as soon as its call is given up (http_connection.ts).
 * Bodies up to this size go out with their head in one write.
 */
export const TAIL_BYTES = 64 * 1024;

/** A request's head: a key of 1,024 bytes takes up to 3,072 encoded, a session token 2 KiB. */
export const REQUEST_HEAD_BYTES_MAX = 16 * 1024;

/** Bodies of answers that are read as a whole: pages of listings, results of deletes, errors. */
export const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Idle connections are closed after this; S3 does so itself a few seconds later. */
export const CONNECTION_IDLE_MS = 15_000;

/** A connection's age at which it is not used again, so that changes in the DNS are followed. */
export const CONNECTION_AGE_MAX_MS = 300_000;

/** What one page of a listing and one batch of deletes may hold, in S3 and its likes. */
export const PAGE_KEYS = 1000;

/** The least speed that a call's time-out allows for, on top of the setting: a second per MiB. */
export const SLOWEST_BYTES_PER_MS = 1024;

/**
 * Of the requests that may be on their way at once, this share, and no more than so many, are for
 * writes alone: readers that catch up can use all others, and a commit must not wait for them. The
 * commit log has 4 uploads on their way, rewriting as many again.
 */
export const WRITES_SHARE = 1 / 4;
export const WRITES_KEPT_MAX = 8;
