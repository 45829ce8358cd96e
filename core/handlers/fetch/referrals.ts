/**
 * Which readers were sent to a broker of their rack (KIP-392). One that is back at the same offset
 * soon, and again, has found nothing there, whatever the reason: it is served here for a while, so
 * a follower that is behind or broken costs its readers a detour and not their progress.
 */
import { REFERRALS_MAX } from "../../config/limits.ts";
import type { Clock } from "../../runtime/mod.ts";
import { clientHost } from "../client_host.ts";
import type { RequestContext } from "../handler.ts";

/** Back this soon, at the same offset: the follower did not serve it. */
const RETURN_MS = 30_000;
/** How often that happens before it stays: two readers of one name may look like one. */
const IN_VAIN_MAX = 2;
/** How long it then stays. */
const STAY_MS = 60_000;

/** Figures; they only grow. */
export interface ReferralStats {
  /** Readers were sent to a broker of their rack. */
  sent: number;
  /** They came back in vain, and stayed. */
  kept: number;
}

interface Referral {
  offset: number;
  sentMs: number;
  /** Sent in vain so often. */
  inVain: number;
  stayUntilMs: number;
}

export class Referrals {
  readonly stats: ReferralStats = { sent: 0, kept: 0 };
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
    const inVain = back ? known.inVain + 1 : 0;
    const stays = inVain >= IN_VAIN_MAX;
    const stayUntilMs = stays ? nowMs + STAY_MS : -Infinity;
    this.#readers.delete(reader);
    this.#readers.set(reader, { offset, sentMs: nowMs, inVain, stayUntilMs });
    for (const oldest of this.#readers.keys()) {
      if (this.#readers.size <= this.max) break;
      this.#readers.delete(oldest);
    }
    if (stays) this.stats.kept++;
    else this.stats.sent++;
    return !stays;
  }
}

/** One partition's reader, over all its connections. */
export function readerOf(
  { clientId, remoteAddress }: RequestContext,
  rack: string,
  topicId: string,
  partition: number,
): string {
  return [clientHost(remoteAddress), rack, clientId ?? "", topicId, partition].join(" ");
}
