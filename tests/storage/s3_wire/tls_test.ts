/** Both drivers over TLS, with a certificate of a CA of one's own. */
import { assertEquals, assertMatch } from "@std/assert";
import { haveTools } from "../../clients/requirement.ts";
import { haveMinio, Minio } from "../../services/minio.ts";

const here = haveTools("object store drivers over TLS", "openssl") &&
  await haveMinio("object store drivers over TLS");

/** A listener that speaks TLS in front of `port`. */
class TlsFront implements AsyncDisposable {
  readonly #listener: Deno.TlsListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<unknown>>();

  constructor(cert: string, key: string, readonly port: number) {
    this.#listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    this.#keep(this.#accept());
  }

  get endpoint(): string {
    return `https://localhost:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) close(conn);
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #keep(work: Promise<unknown>): void {
    const kept = work.catch(() => {}).finally(() => this.#work.delete(kept));
    this.#work.add(kept);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      const behind = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
      for (const each of [conn, behind]) this.#open.add(each);
      this.#keep(copy(conn, behind));
      this.#keep(copy(behind, conn));
    }
  }
}

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
      for (let at = 0; at < read;) at += await to.write(buffer.subarray(at, read));
    }
  } finally {
    close(from);
    close(to);
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // the other direction was first
  }
}

/** A CA and a certificate of it for localhost, as files in `dir`. */
async function certificates(dir: string): Promise<void> {
  const commands = [
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
    "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem",
    "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 " +
    "-extfile names -out cert.pem",
  ];
  await Deno.writeTextFile(`${dir}/names`, "subjectAltName=DNS:localhost\n");
  for (const command of commands) {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: command.split(" "),
      cwd: dir,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
}

Deno.test({
  name: "object store drivers work over TLS, and trust whom DENO_CERT names",
  ignore: !here,
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "kafscale-tls-" });
    await certificates(dir);
    const [cert, key] = await Promise.all(
      ["cert.pem", "key.pem"].map((name) => Deno.readTextFile(`${dir}/${name}`)),
    ) as [string, string];
    await using minio = await Minio.start();
    const bucket = await minio.bucket();
    {
      await using front = new TlsFront(cert, key, minio.port);
      const script = new URL("tls_client.ts", import.meta.url).pathname;
      const run = async (env: Record<string, string>) => {
        const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", script, front.endpoint, bucket, minio.accessKey, minio.secretKey],
          env,
        }).output();
        const text = new TextDecoder().decode(stdout);
        if (text === "") throw new Error(new TextDecoder().decode(stderr));
        return JSON.parse(text);
      };
      const all = {
        created: "created",
        again: "exists",
        bytes: 4 << 20,
        parts: [1, 2, 4],
        whole: true,
        ended: true,
        listed: true,
        connections: true,
      };
      assertEquals(await run({ DENO_CERT: `${dir}/ca.pem` }), { s3: all, minio: all });
      for (const { outcome, message } of Object.values<Record<string, string>>(await run({}))) {
        assertMatch(message!, /no TLS with localhost:\d+: correct .*DENO_CERT .*UnknownIssuer/);
        assertEquals(outcome, "fatal");
      }
    }
    await Deno.remove(dir, { recursive: true });
  },
});
