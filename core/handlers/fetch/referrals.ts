/**
 * Which readers were sent to a broker of their rack (KIP-392). One that is back at the same offset
 * soon has found nothing there, whatever the reason: it is served here for a while, so a follower
 * that is behind or broken costs its readers a detour and not their progress.
 */
import { REFERRALS_MAX } from "../../config/limits.ts";
import type { Clock } from "../../runtime/mod.ts";
import { clientHost } from "../client_host.ts";
import type { RequestContext } from "../handler.ts";

/** Back this soon, at the same offset: the follower did not serve it. */
const RETURN_MS = 30_000;
/** How long it then stays. */
const STAY_MS = 60_000;

interface Referral {
  offset: number;
  sentMs: number;
  stayUntilMs: number;
}

export class Referrals {
  readonly stats = { sent: 0, returned: 0 };
  /** By reader; the least recently sent first. */
  readonly #readers = new Map<string, Referral>();

  constructor(readonly clock: Clock, readonly max = REFERRALS_MAX) {}

  /** Whether to send the reader, who stands at `offset`, away. */
  refer(reader: string, offset: number): boolean {
    const nowMs = this.clock.monotonicMs();
    const known = this.#readers.get(reader);
    if (known !== undefined && nowMs < known.stayUntilMs) return false;
    const back = known !== undefined && known.offset === offset &&
      nowMs - known.sentMs < RETURN_MS;
    this.#readers.delete(reader);
    const stayUntilMs = back ? nowMs + STAY_MS : -Infinity;
    this.#readers.set(reader, { offset, sentMs: nowMs, stayUntilMs });
    for (const oldest of this.#readers.keys()) {
      if (this.#readers.size <= this.max) break;
      this.#readers.delete(oldest);
    }
    if (back) this.stats.returned++;
    else this.stats.sent++;
    return !back;
  }
}

/** One partition's reader, over all its connections. */
export function readerOf(context: RequestContext, topicId: string, partition: number): string {
  const { clientId, remoteAddress } = context;
  return `${clientHost(remoteAddress)} ${clientId ?? ""} ${topicId}/${partition}`;
}
