import { BEARER_FAULTS, bearerFault, problem } from "../http/mod.ts";

/** Why the request may not change anything; undefined when it may. */
export function refusal(headers: Headers, token: string | null): Response | undefined {
  const fault = bearerFault(headers.get("authorization"), token);
  if (fault === undefined) return undefined;
  if (fault === "unset") return problem(403, BEARER_FAULTS.unset);
  return problem(401, BEARER_FAULTS[fault], { "www-authenticate": "Bearer" });
}
