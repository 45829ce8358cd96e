/**
 * SaslHandshake (17) v0-1: Picks a SASL mechanism.
 *
 *   SaslHandshake v0-1 => mechanism
 *   answer => error_code [mechanisms]
 *
 * v1: the exchange goes on in SaslAuthenticate (KIP-152)
 */
import { api, array, int16, string } from "../schema.ts";

export const saslHandshake = api({
  key: 17,
  name: "SaslHandshake",
  versions: [0, 1],
  request: {
    mechanism: string,
  },
  response: {
    errorCode: int16,
    mechanisms: array(string),
  },
});
