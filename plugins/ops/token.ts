import { createHash, timingSafeEqual } from "node:crypto";
import { problem } from "../http/mod.ts";

const HOW = "send the token of KAFSCALE_OPS_TOKEN as `Authorization: Bearer TOKEN`";
const NO_TOKEN = "nothing can be changed, because no token is set; set KAFSCALE_OPS_TOKEN, and " +
  "send it as `Authorization: Bearer TOKEN`";

/** Why the request may not change anything; undefined when it may. */
export function refusal(headers: Headers, token: string | null): Response | undefined {
  if (token === null) return problem(403, NO_TOKEN);
  const given = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (given !== undefined && same(given, token)) return undefined;
  const error = given === undefined
    ? `this changes something; ${HOW}`
    : "the token is not that of KAFSCALE_OPS_TOKEN";
  return problem(401, error, { "www-authenticate": "Bearer" });
}

/** In a time that depends on neither content nor length. */
function same(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
