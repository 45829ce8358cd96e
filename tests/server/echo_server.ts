/** A server with two small APIs that tests control, on an in-memory network. */
import type { Api } from "../../core/protocol/api.ts";
import type { AnyHandler, RequestContext, Rooms } from "../../core/handlers/mod.ts";
import { concat, Reader, Writer } from "../../core/bytes/mod.ts";
import { createServer, type Server, type ServerConfig } from "../../core/server/mod.ts";
import type { MemoryConnection } from "./memory_network.ts";
import { MemoryNetwork } from "./memory_network.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

/** The bytes behind the header, as a view of the frame. */
export interface Echo {
  readonly payload: Uint8Array;
}

export interface EchoReply {
  readonly parts: readonly Uint8Array[];
}

export const PIPELINED = 900;
export const HOLDING = 901;

export function echoApi(key: number): Api<Echo, EchoReply> {
  return {
    key,
    name: `Echo${key}`,
    minVersion: 0,
    advertisedMinVersion: 0,
    maxVersion: 1,
    flexibleFrom: 1,
    request: {
      read: (reader) => ({ payload: reader.view8(reader.remaining) }),
      write: (writer, value) => writer.raw(value.payload as Uint8Array),
    },
    response: {
      read: (reader) => ({ parts: [reader.copy(reader.remaining)] }),
      write: (writer, value) => {
        for (const part of value.parts ?? []) writer.external(part as Uint8Array);
      },
    },
  };
}

export type EchoHandle = (
  context: RequestContext,
  request: Echo,
) => Promise<EchoReply | undefined> | EchoReply | undefined;

export function echoHandler(key: number, handle: EchoHandle): AnyHandler {
  return {
    api: echoApi(key),
    viewsFrame: true,
    handle: (_rooms: Rooms, context: RequestContext, request: Echo) => handle(context, request),
  };
}

export const CONFIG: ServerConfig = {
  brokerAddr: "127.0.0.1:9092",
  maxConnections: 100,
  maxFrameBytes: 4 * 1024 * 1024,
  inflightBytes: 16 * 1024 * 1024,
  connectionsMaxIdleMs: 600_000,
};

/** The handlers here use no rooms. */
export const NO_ROOMS = {} as Rooms;

export class EchoServer {
  readonly network = new MemoryNetwork();
  readonly runtime = manualRuntime(1, this.network);
  readonly fatal: unknown[] = [];
  readonly server: Server;

  constructor(handlers: readonly AnyHandler[], config: Partial<ServerConfig> = {}) {
    this.server = createServer({
      runtime: this.runtime,
      config: { ...CONFIG, ...config },
      rooms: NO_ROOMS,
      handlers,
      onFatal: (error) => this.fatal.push(error),
    });
  }
}

/** A whole frame: size, header version 1 (flexible: 2) and payload. */
export function frame(
  apiKey: number,
  correlationId: number,
  payload: Uint8Array,
  { version = 0, clientId = "test" }: { version?: number; clientId?: string | null } = {},
): Uint8Array {
  const body = new Writer();
  body.int16(apiKey);
  body.int16(version);
  body.int32(correlationId);
  if (clientId === null) body.int16(-1);
  else {
    body.int16(clientId.length);
    body.raw(new TextEncoder().encode(clientId));
  }
  if (version >= 1) body.uvarint(0);
  body.raw(payload);
  const bytes = body.toBytes();
  const size = new Writer();
  size.int32(bytes.length);
  return concat([size.toBytes(), bytes]);
}

export interface Answer {
  readonly correlationId: number;
  readonly body: Uint8Array;
}

/** The next response, or undefined at the end of the stream. */
export async function nextAnswer(client: MemoryConnection): Promise<Answer | undefined> {
  const size = await client.readExactly(4);
  if (size === undefined) return undefined;
  const bytes = await client.readExactly(new Reader(size).int32());
  if (bytes === undefined) return undefined;
  const reader = new Reader(bytes);
  return { correlationId: reader.int32(), body: reader.copy(reader.remaining) };
}

/** `length` bytes that differ from place to place. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + seed * 17 + (at >> 8)) & 0xff;
  return bytes;
}

export function echo(request: Echo): EchoReply {
  return { parts: [request.payload.slice()] };
}
