/** The ways to a bucket that are compared: our drivers, bare HTTP, and a library by itself. */
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Agent, type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { openMinioStore } from "../../drivers/storage/minio/driver.ts";
import { openS3Store } from "../../drivers/storage/s3/driver.ts";
import { type S3Account, signed } from "../../tests/services/signed_request.ts";

export interface Place extends S3Account {
  readonly bucket: string;
  readonly parallel: number;
}

/** One way. Both calls throw where they fail; a key is put once. */
export interface Way {
  /** A conditional create. */
  put(key: string, parts: readonly Uint8Array[]): Promise<void>;
  /** Bytes that came of `[start, end)`. */
  get(key: string, start: number, end: number): Promise<number>;
  close(): Promise<void>;
}

export const WAYS: Readonly<Record<string, (place: Place) => Promise<Way>>> = {
  "s3": async (place) => driver(await openS3Store(settings(place))),
  "minio": (place) => Promise.resolve(driver(openMinioStore(settings(place)))),
  "node:http": (place) => Promise.resolve(nodeHttp(place)),
  "fetch": (place) => Promise.resolve(webFetch(place)),
  "aws-sdk": (place) => Promise.resolve(sdk(place)),
};

function settings({ endpoint, bucket, accessKey, secretKey, parallel }: Place) {
  return {
    runtime: systemRuntime(systemLog("error", false)),
    bucket,
    region: "us-east-1",
    endpoint,
    pathStyle: true,
    keys: { accessKeyId: accessKey, secretAccessKey: secretKey, sessionToken: undefined },
    kmsKey: undefined,
    concurrency: parallel,
    connectTimeoutMs: 5_000,
    timeoutMs: 30_000,
    settings: "KAFSCALE_S3_",
  };
}

function driver(store: ObjectStore): Way {
  let into: Uint8Array[] = [];
  return {
    put: async (key, parts) => {
      if (await store.putIfAbsent(key, parts) !== "created") throw new Error(`${key} exists`);
    },
    get: async (key, start, end) => {
      // as the block cache does: into buffers that are used again
      const buffers = into.splice(0);
      if (buffers.length === 0) buffers.push(new Uint8Array(end - start));
      const bytes = await store.getInto!(key, start, buffers) ?? 0;
      into = buffers;
      return bytes;
    },
    close: () => store.close(),
  };
}

function nodeHttp(place: Place): Way {
  const agent = new Agent({ keepAlive: true, maxSockets: place.parallel });
  const send = async (
    method: string,
    key: string,
    headers: Record<string, string>,
    parts: readonly Uint8Array[],
  ) => {
    const path = `/${place.bucket}/${key}`;
    const ready = signed(place, { method, path, headers });
    const sent = { ...headers, ...Object.fromEntries(ready.headers) };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const going = request(ready.url, { method, headers: sent, agent }, resolve);
      going.on("error", reject);
      for (const part of parts) going.write(part);
      going.end();
    });
    let bytes = 0;
    for await (const chunk of answer) bytes += chunk.length;
    if (answer.statusCode! >= 300) throw new Error(`${method} ${key}: ${answer.statusCode}`);
    return bytes;
  };
  return {
    put: async (key, parts) => {
      const length = `${parts.reduce((sum, part) => sum + part.length, 0)}`;
      await send("PUT", key, { "if-none-match": "*", "content-length": length }, parts);
    },
    get: (key, start, end) => send("GET", key, { range: `bytes=${start}-${end - 1}` }, []),
    close: () => Promise.resolve(agent.destroy()),
  };
}

function webFetch(place: Place): Way {
  const sign = (method: string, key: string, headers: Record<string, string>) =>
    signed(place, { method, path: `/${place.bucket}/${key}`, headers });
  return {
    put: async (key, parts) => {
      const { url, headers } = sign("PUT", key, { "if-none-match": "*" });
      const body = await new Blob([...parts] as BlobPart[]).bytes();
      const answer = await fetch(url, { method: "PUT", headers, body });
      await answer.bytes();
      if (!answer.ok) throw new Error(`PUT ${key}: ${answer.status}`);
    },
    get: async (key, start, end) => {
      const { url, headers } = sign("GET", key, { range: `bytes=${start}-${end - 1}` });
      return (await (await fetch(url, { headers })).bytes()).length;
    },
    close: () => Promise.resolve(),
  };
}

/** With the settings of DESIGN 9: no checksum, no 100-continue, the body as a stream. */
function sdk(place: Place): Way {
  const client = new S3Client({
    region: "us-east-1",
    endpoint: place.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: place.accessKey, secretAccessKey: place.secretKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    expectContinueHeader: false,
    maxAttempts: 1,
  });
  const Bucket = place.bucket;
  return {
    put: async (Key, parts) => {
      const ContentLength = parts.reduce((sum, part) => sum + part.length, 0);
      const Body = Readable.from(parts, { objectMode: false });
      const command = new PutObjectCommand({ Bucket, Key, Body, ContentLength, IfNoneMatch: "*" });
      await client.send(command);
    },
    get: async (Key, start, end) => {
      const Range = `bytes=${start}-${end - 1}`;
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
      return (await Body!.transformToByteArray()).length;
    },
    close: () => Promise.resolve(client.destroy()),
  };
}
