/** TLS of the control service, as a gRPC client sees it. */
import { Buffer } from "node:buffer";
import { assertEquals, assertMatch } from "@std/assert";
import { type ChannelCredentials, Client, credentials } from "@grpc/grpc-js";
import { serviceDefinition } from "../../plugins/control/schema.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { makeCertificates } from "../services/certificates.ts";
import { HostedBroker } from "./hosted.ts";

const STATUS = serviceDefinition("BrokerControl")["GetStatus"]!;

const read = (path: string) => Buffer.from(Deno.readFileSync(path));

/** "ok", or why the call failed. */
async function call(port: number, secured: ChannelCredentials): Promise<string> {
  // IP addresses are no names for SNI
  const client = new Client(`localhost:${port}`, secured);
  const deadline = Date.now() + 10_000;
  try {
    return await new Promise<string>((resolve) => {
      client.makeUnaryRequest(
        STATUS.path,
        STATUS.requestSerialize,
        STATUS.responseDeserialize,
        {},
        { deadline } as never,
        (error: Error | null) => resolve(error === null ? "ok" : error.message),
      );
    });
  } finally {
    client.close();
  }
}

function portOf({ scene }: HostedBroker): Promise<number> {
  return waitUntil("the control service", () => {
    for (const { message } of scene.log.lines) {
      const match = /^control listening on port (\d+)$/.exec(message);
      if (match !== null) return Number(match[1]);
    }
    return undefined;
  });
}

async function withCertificates(
  run: (files: Awaited<ReturnType<typeof makeCertificates>>) => Promise<void>,
) {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-control-" });
  try {
    await run(await makeCertificates(dir));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The client's timer for another try outlives its close(). */
const CLIENT = { sanitizeOps: false, sanitizeResources: false };

Deno.test("control speaks TLS alone once it has a certificate", CLIENT, async () => {
  await withCertificates(async ({ ca, otherCa, serverCert, serverKey }) => {
    await using broker = await HostedBroker.open({
      controlAddr: "127.0.0.1:0",
      controlCertFile: serverCert,
      controlKeyFile: serverKey,
    });
    const port = await portOf(broker);
    assertEquals(await call(port, credentials.createSsl(read(ca))), "ok");
    assertMatch(await call(port, credentials.createSsl(read(otherCa))), /UNAVAILABLE/);
    assertMatch(await call(port, credentials.createInsecure()), /UNAVAILABLE/);
  });
});

Deno.test("control asks for certificates of its authority where one is named", CLIENT, async () => {
  await withCertificates(async (files) => {
    await using broker = await HostedBroker.open({
      controlAddr: "127.0.0.1:0",
      controlCertFile: files.serverCert,
      controlKeyFile: files.serverKey,
      controlClientCaFile: files.ca,
    });
    const port = await portOf(broker);
    const [ca, cert, key] = [read(files.ca), read(files.clientCert), read(files.clientKey)];
    assertEquals(await call(port, credentials.createSsl(ca, key, cert)), "ok");
    assertMatch(await call(port, credentials.createSsl(ca)), /UNAVAILABLE/);
  });
});
