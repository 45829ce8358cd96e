import { createHash, timingSafeEqual } from "node:crypto";

/**
 * What is wrong with the `Bearer` credentials that somebody sent to change something; undefined:
 * nothing. `unset`: no token is set on the broker, so nobody can change anything.
 */
export function bearerFault(
  authorization: string | null,
  token: string | null,
): "unset" | "missing" | "wrong" | undefined {
  if (token === null) return "unset";
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (given === undefined) return "missing";
  return same(given, token) ? undefined : "wrong";
}

/** What to do about each fault. */
export const BEARER_FAULTS = {
  unset:
    "nothing can be changed, because no token is set; set KAFSCALE_OPS_TOKEN, and send it as " +
    "`Authorization: Bearer TOKEN`",
  missing: "this changes something; send the token of KAFSCALE_OPS_TOKEN as " +
    "`Authorization: Bearer TOKEN`",
  wrong: "the token is not that of KAFSCALE_OPS_TOKEN",
} as const;

/** In a time that depends on neither content nor length. */
function same(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
