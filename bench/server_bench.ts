/**
 * The server room alone over loopback: what framing, dispatch and writing cost without a log.
 *
 *     deno run -A bench/server_bench.ts [in|out] [frame KiB] [connections] [GiB]
 *
 * `in`: produce-like frames into a handler that discards them; `out`: fetch-like requests answered
 * with one large part. Prints MiB/s and this process's CPU seconds per GiB (the load has its own).
 */
import process from "node:process";
import { Reader, Writer } from "../core/bytes/mod.ts";
import { defaultConfig } from "../core/config/mod.ts";
import type { AnyHandler, Rooms } from "../core/handlers/mod.ts";
import { systemLog, systemRuntime } from "../core/runtime/system.ts";
import { createServer } from "../core/server/mod.ts";

const GIB = 2 ** 30;
const IN_FLIGHT = 5;
const HEADER_BYTES = 10;

type Mode = "in" | "out";

interface Shape {
  readonly mode: Mode;
  readonly frameBytes: number;
  readonly connections: number;
  readonly totalBytes: number;
}

function readShape(args: readonly string[]): Shape {
  return {
    mode: args[0] === "out" ? "out" : "in",
    frameBytes: Number(args[1] ?? 1024) * 1024,
    connections: Number(args[2] ?? 4),
    totalBytes: Number(args[3] ?? 4) * GIB,
  };
}

/** The size of the response is the request's payload, as one int32. */
function discardingHandler(shape: Shape): AnyHandler {
  const reply = new Uint8Array(shape.frameBytes);
  return {
    api: {
      key: 0,
      name: "Discard",
      minVersion: 0,
      advertisedMinVersion: 0,
      maxVersion: 0,
      flexibleFrom: Infinity,
      request: {
        read: (reader: Reader) => reader.view8(reader.remaining),
        write: () => {},
      },
      response: {
        read: () => undefined,
        write: (writer: Writer) => {
          if (shape.mode === "out") writer.external(reply);
          else writer.int64(0);
        },
      },
    },
    handle: (_rooms, context) => {
      context.release();
      return Promise.resolve({});
    },
  };
}

async function serve(shape: Shape): Promise<void> {
  const server = createServer({
    runtime: systemRuntime(systemLog("warn", true)),
    config: defaultConfig({ brokerAddr: "127.0.0.1:0" }),
    rooms: {} as Rooms,
    handlers: [discardingHandler(shape)],
    onFatal: (error) => {
      throw error;
    },
  });
  const { port } = await server.start();
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const load = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, "load", String(port), JSON.stringify(shape)],
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const { success } = await load.status;
  const seconds = (performance.now() - started) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const [stats] = server.apiStats();
  await server.close();
  if (!success) throw new Error("the load failed");
  const gib = (stats!.requestBytes + stats!.responseBytes) / GIB;
  console.log(
    `${shape.mode} ${shape.frameBytes / 1024} KiB x ${shape.connections}: ` +
      `${Math.round(gib * 1024 / seconds)} MiB/s (start of the load included), ` +
      `${((cpu.user + cpu.system) / 1e6 / gib).toFixed(2)} CPU-s/GiB, ` +
      `${Math.round(Deno.memoryUsage().rss / 2 ** 20)} MiB resident`,
  );
}

async function load(port: number, shape: Shape): Promise<void> {
  const started = performance.now();
  const perConnection = Math.ceil(shape.totalBytes / shape.frameBytes / shape.connections);
  await Promise.all(
    Array.from({ length: shape.connections }, () => loadOne(port, shape, perConnection)),
  );
  const seconds = (performance.now() - started) / 1000;
  console.log(`load: ${Math.round(shape.totalBytes / 2 ** 20 / seconds)} MiB/s`);
}

async function loadOne(port: number, shape: Shape, count: number): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const payload = shape.mode === "in" ? shape.frameBytes : 4;
  const frame = new Uint8Array(4 + HEADER_BYTES + payload);
  const view = new DataView(frame.buffer);
  view.setInt32(0, HEADER_BYTES + payload);
  view.setInt16(12, -1);
  const answerBytes = 8 + (shape.mode === "out" ? shape.frameBytes : 8);
  let answered = 0;
  let sent = 0;
  let wake: (() => void) | undefined;
  const receive = async () => {
    const into = new Uint8Array(1 << 20);
    let bytes = 0;
    while (answered < count) {
      const got = await conn.read(into);
      if (got === null) throw new Error("the server closed the connection");
      bytes += got;
      answered = Math.floor(bytes / answerBytes);
      wake?.();
    }
  };
  const receiving = receive();
  while (sent < count) {
    if (sent - answered >= IN_FLIGHT) {
      await new Promise<void>((resolve) => wake = resolve);
      continue;
    }
    view.setInt32(8, sent++);
    for (let at = 0; at < frame.length;) at += await conn.write(frame.subarray(at));
  }
  await receiving;
  conn.close();
}

if (Deno.args[0] === "load") await load(Number(Deno.args[1]), JSON.parse(Deno.args[2]!) as Shape);
else await serve(readShape(Deno.args));
