/** One connection, against a peer that reads when the test says so. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpConnection } from "../../../drivers/storage/s3_wire/http_connection.ts";
import { HttpFault } from "../../../drivers/storage/s3_wire/http_head.ts";

const HEAD = "PUT /b/k HTTP/1.1\r\nhost: h\r\n";

interface Pair {
  readonly connection: HttpConnection;
  readonly peer: Deno.Conn;
}

async function pair(): Promise<Pair> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const peer = await accepted;
  listener.close();
  return { connection: new HttpConnection(conn, 0), peer };
}

async function answer(peer: Deno.Conn, text: string): Promise<void> {
  await peer.write(new TextEncoder().encode(text));
}

/** What comes until the connection ends, its bytes behind the head. */
async function rest(peer: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(1 << 20);
  for (;;) {
    const read = await peer.read(buffer).catch(() => null);
    if (read === null) break;
    parts.push(buffer.slice(0, read));
  }
  const all = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  const head = new TextDecoder("latin1").decode(all.subarray(0, 200)).indexOf("\r\n\r\n") + 4;
  return all.subarray(head);
}

/** Gives a body up while its write waits for the peer, changes it; what arrives in the end. */
async function giveUp(size: number): Promise<Uint8Array> {
  const { connection, peer } = await pair();
  const body = new Uint8Array(size).fill(1);
  const sending = assertRejects(
    () => connection.exchange({ head: HEAD, body: [body], bytes: size }),
    HttpFault,
  );
  await new Promise((later) => setTimeout(later, 100));
  connection.close();
  await sending;
  body.fill(2);
  const arrived = await rest(peer);
  peer.close();
  return arrived;
}

Deno.test("HttpConnection never completes a body that was given up and changed", async () => {
  // so much a socket takes, with what a write that waits still adds once the peer reads
  const { length: taken } = await giveUp(64 << 20);
  assert(taken < 64 << 20);
  for (const less of [0, 64 << 10, 128 << 10, 256 << 10, 512 << 10]) {
    const arrived = await giveUp(taken - less);
    const whole = arrived.length === taken - less;
    assert(!whole || arrived.every((byte) => byte === 1), `${taken} bytes less ${less}`);
  }
});

Deno.test("HttpConnection sends head and gather list as they are", async () => {
  const { connection, peer } = await pair();
  for (const sizes of [[], [0], [5], [65_536], [65_537], [70_000, 0, 3], [3, 300_000, 70_000, 1]]) {
    const body = sizes.map((size, at) => new Uint8Array(size).fill(at + 1));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const exchange = connection.exchange({ head: HEAD, body, bytes });
    const wanted = HEAD.length + 2 + bytes;
    let got = new Uint8Array(0);
    const buffer = new Uint8Array(1 << 20);
    while (got.length < wanted) {
      const read = await peer.read(buffer);
      got = Uint8Array.from([...got, ...buffer.subarray(0, read!)]);
    }
    assertEquals(new TextDecoder().decode(got.subarray(0, HEAD.length + 2)), `${HEAD}\r\n`);
    const sent = body.flatMap((part) => [...part]);
    assertEquals(got.subarray(HEAD.length + 2).every((byte, at) => byte === sent[at]), true);
    await answer(peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b: c\r\n\r\nok");
    const head = await exchange;
    assertEquals([head.status, head.length, head.headers.get("x-a")], [200, 2, "b: c"]);
    assertEquals(new TextDecoder().decode(await connection.body(head, 10)), "ok");
    assertEquals(connection.reusable, true);
  }
  connection.close();
  peer.close();
});

Deno.test("HttpConnection scatters a body over buffers, no more than fits", async () => {
  const { connection, peer } = await pair();
  const get = { head: "GET /b/k HTTP/1.1\r\nhost: h\r\n", body: [], bytes: 0 };
  const text = "HTTP/1.1 206 Partial Content\r\ncontent-length: 5\r\n\r\n01234";
  for (const buffers of [[5], [2, 3], [1, 0, 9]]) {
    const exchange = connection.exchange(get);
    await peer.read(new Uint8Array(100));
    await answer(peer, text);
    const into = buffers.map((size) => new Uint8Array(size));
    assertEquals(await connection.bodyInto(await exchange, into), 5);
    const bytes = into.flatMap((part) => [...part]).slice(0, 5);
    assertEquals(bytes.map((byte) => byte - 48), [0, 1, 2, 3, 4]);
    assertEquals(connection.reusable, true);
  }
  const exchange = connection.exchange(get);
  await peer.read(new Uint8Array(100));
  await answer(peer, text);
  await assertRejects(async () => connection.bodyInto(await exchange, [new Uint8Array(4)]));
  assertEquals(connection.reusable, false);
  connection.close();
  peer.close();
});

Deno.test("HttpConnection rejects what is no answer", async () => {
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  const wrong = [
    "",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n0123",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: " + "y".repeat(20_000) + "\r\n\r\n",
    `${chunked}x\r\n`,
    `${chunked}3\r\nabcd\r\n0\r\n\r\n`,
    `${chunked}fffffffff\r\n`,
    `${chunked}7fffffff\r\nabc`,
    `${chunked}3\r\nab`,
    `${chunked}3\r\nabc\r\n0\r\n`,
    `${chunked}${"1".repeat(20_000)}`,
  ];
  for (const text of wrong) {
    const { connection, peer } = await pair();
    const read = async () => {
      const head = await connection.exchange({ head: HEAD, body: [], bytes: 0 });
      await connection.body(head, 1000);
    };
    const reading = assertRejects(read, HttpFault, undefined, text.slice(0, 80));
    await peer.read(new Uint8Array(1000));
    await answer(peer, text);
    peer.close();
    await reading;
    assertEquals(connection.reusable, false);
    connection.close();
  }
});

Deno.test("HttpConnection is not used again after bytes that nobody asked for", async () => {
  const { connection, peer } = await pair();
  let ended = 0;
  connection.onIdleEnd = () => ended++;
  await answer(peer, "HTTP/1.1 408 Request Timeout\r\n\r\n");
  await new Promise((later) => setTimeout(later, 20));
  assertEquals([connection.reusable, ended], [false, 1]);
  connection.close();
  peer.close();
});
