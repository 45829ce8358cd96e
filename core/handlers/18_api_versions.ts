/**
 * ApiVersions (key 18), versions 0 to 4.
 *
 *     ApiVersions => (v3 up: client_software_name client_software_version)
 *
 * Advertises exactly what is served. A version that we don't know is answered in version 0 with
 * UNSUPPORTED_VERSION and the list, so that the client can step down (KIP-511); the dispatcher does
 * that, since no such request can be decoded. No features are finalized (KIP-584): clients then use
 * the classic group protocol and transaction version 1.
 */
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { apiVersions } from "../protocol/messages/18_api_versions.ts";
import { type AnyHandler, handler } from "./handler.ts";

type Response = LooseResponseOf<typeof apiVersions>;

const SOFTWARE_SINCE = 3;
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
/** Longest name or version that is kept for a connection. */
const SOFTWARE_LENGTH_MAX = 256;

/** `served` is asked per request: it is the list that the handler itself is in. */
export function apiVersionsHandler(served: () => readonly AnyHandler[]): AnyHandler {
  let apiKeys: Response["apiKeys"];
  return handler(apiVersions, (_rooms, context, request) => {
    if (
      context.apiVersion >= SOFTWARE_SINCE &&
      !(validSoftware(request.clientSoftwareName) && validSoftware(request.clientSoftwareVersion))
    ) {
      return { errorCode: ErrorCode.INVALID_REQUEST };
    }
    return { errorCode: ErrorCode.NONE, apiKeys: apiKeys ??= ranges(served()) };
  });
}

/** The body, to be written in version 0, for a request in a version that isn't served. */
export function unsupportedApiVersions(served: readonly AnyHandler[]): Response {
  return { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys: ranges(served) };
}

/** KIP-511's rule for the name and version of client software. */
export function validSoftware(text: string): boolean {
  return text.length <= SOFTWARE_LENGTH_MAX && SOFTWARE.test(text);
}

function ranges(served: readonly AnyHandler[]): NonNullable<Response["apiKeys"]> {
  return served
    .map(({ api }) => ({
      apiKey: api.key,
      minVersion: api.advertisedMinVersion,
      maxVersion: api.maxVersion,
    }))
    .sort((a, b) => a.apiKey - b.apiKey);
}
