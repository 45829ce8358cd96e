/**
 * SaslAuthenticate (36) v0-2: Carries one step of the SASL exchange (KIP-152).
 *
 *   SaslAuthenticate v0-2 => auth_bytes
 *   answer => error_code error_message auth_bytes session_lifetime_ms
 *
 * v1: session lifetime (KIP-368)
 * v2: compact lengths and tagged fields (KIP-482)
 */
import { api, bytes, int16, int64, string } from "../schema.ts";

export const saslAuthenticate = api({
  key: 36,
  name: "SaslAuthenticate",
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    authBytes: bytes,
  },
  response: {
    errorCode: int16,
    errorMessage: string.nullable(),
    authBytes: bytes,
    sessionLifetimeMs: int64.since(1),
  },
});
