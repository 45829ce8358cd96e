/** A program: gRPC clients of a server that says goodbye as Go's do; ends well, or not at all. */
import { Client, credentials } from "@grpc/grpc-js";
import { endSessionsLater } from "../../drivers/metadata/etcd/http2_sessions.ts";

const SESSIONS = 20;
const FRAME = { ping: 6, goaway: 7, settings: 4 };
const ACK = 1;

function frame(type: number, flags: number, payload: readonly number[]): number[] {
  return [0, 0, payload.length, type, flags, 0, 0, 0, 0, ...payload];
}

const HELLO = Uint8Array.of(...frame(FRAME.settings, 0, []), ...frame(FRAME.settings, ACK, []));
/** All streams may end (2^31-1); and an empty debug text. The client has both in one read. */
const GOODBYE = Uint8Array.of(
  ...frame(FRAME.goaway, 0, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  ...frame(FRAME.ping, 0, [1, 6, 1, 8, 0, 3, 3, 9]),
);

endSessionsLater();
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr as Deno.NetAddr;
let ended = 0;
for (let session = 0; session < SESSIONS; session++) {
  const accepted = listener.accept();
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const ready = new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 5_000, (error) => error ? reject(error) : resolve());
  });
  using connection = await accepted;
  await connection.write(HELLO);
  await ready;
  await connection.write(GOODBYE);
  // its own goodbye, and then the end
  const buffer = new Uint8Array(4_096);
  while (await connection.read(buffer) !== null);
  client.close();
  ended++;
}
console.log(`${ended} sessions ended`);
Deno.exit(0);
