/** What a MinIO was asked for, by its own count, and what S3 would charge for it. */

/** Requests by S3's name of the API: `PutObject`, `GetObject`, `ListObjectsV2`, … */
export type Requests = Readonly<Record<string, number>>;

/** A MinIO that tells its counts needs this setting. */
export const TELLING = { MINIO_PROMETHEUS_AUTH_TYPE: "public" } as const;

export async function requestsOf(endpoint: string): Promise<Requests> {
  const response = await fetch(`${endpoint}/minio/metrics/v3/api/requests`);
  const text = await response.text();
  if (!response.ok) throw new Error(`MinIO tells no counts: ${response.status} ${text}`);
  const requests: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const match = /^minio_api_requests_total\{.*name="(\w+)".*\} (\d+)/.exec(line);
    if (match !== null) requests[match[1]!] = Number(match[2]);
  }
  return requests;
}

export function difference(after: Requests, before: Requests): Requests {
  const pairs = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  return Object.fromEntries(pairs.filter(([, count]) => count !== 0));
}

/** Dollars for a thousand, S3 Standard in us-east-1. Deletions are free. */
export const PRICES = { write: 0.005, read: 0.0004 } as const;

/** The two prices' classes: PUT, COPY, POST and LIST; GET and the others. */
export function classesOf(requests: Requests): { writes: number; reads: number } {
  let writes = 0;
  let reads = 0;
  for (const [name, count] of Object.entries(requests)) {
    if (/^Delete/.test(name)) continue;
    if (/^(Put|Copy|Post|List|CompleteMultipart|NewMultipart)/.test(name)) writes += count;
    else reads += count;
  }
  return { writes, reads };
}

const MONTH_SECONDS = 30 * 86_400;

/** Dollars a month, for so many requests a second. */
export function monthlyDollars({ writes, reads }: { writes: number; reads: number }): number {
  return MONTH_SECONDS / 1_000 * (writes * PRICES.write + reads * PRICES.read);
}
