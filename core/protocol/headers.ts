/**
 * What precedes every message (KIP-482):
 *
 *   request v1   api_key int16, api_version int16, correlation_id int32, client_id nullable string
 *   request v2   the same, client_id still in the classic form, then tagged fields
 *   response v0  correlation_id int32
 *   response v1  the same, then tagged fields
 *
 * Flexible versions of an API have the second form of both, except ApiVersions' response, which is
 * always v0: its reader cannot know yet what the broker speaks (KIP-511). Request v0, without a
 * client id, existed for ControlledShutdown alone, which brokers of 4.0 and later don't serve.
 * Request headers are read by RequestHeader (request_header.ts).
 */
import { encodeUtf8, type Reader, type Writer } from "../bytes/mod.ts";
import type { AnyApi } from "./api.ts";
import { skipTags } from "./compile_reader.ts";

const API_VERSIONS_KEY = 18;

export interface RequestHeaderFields {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** True when requests of this version have header v2. */
export function requestHeaderIsFlexible(api: AnyApi, version: number): boolean {
  return version >= api.flexibleFrom;
}

/** True when responses to this version have header v1. */
export function responseHeaderIsFlexible(api: AnyApi, version: number): boolean {
  return version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY;
}

export function writeRequestHeader(
  writer: Writer,
  api: AnyApi,
  header: Omit<RequestHeaderFields, "apiKey">,
): void {
  writer.int16(api.key);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  if (header.clientId === null) {
    writer.int16(-1);
  } else {
    const clientId = encodeUtf8(header.clientId);
    writer.int16(clientId.length);
    writer.raw(clientId);
  }
  if (requestHeaderIsFlexible(api, header.apiVersion)) writer.int8(0);
}

/** Reads a response's header and returns its correlation id. */
export function readResponseHeader(reader: Reader, api: AnyApi, version: number): number {
  const correlationId = reader.int32();
  if (responseHeaderIsFlexible(api, version)) skipTags(reader);
  return correlationId;
}

export function writeResponseHeader(
  writer: Writer,
  api: AnyApi,
  version: number,
  correlationId: number,
): void {
  writer.int32(correlationId);
  if (responseHeaderIsFlexible(api, version)) writer.int8(0);
}
