/** docs/protocol.md out of the handlers that are really registered. */

interface Row {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly advertisedMinVersion: number;
  readonly maxVersion: number;
  readonly flexibleFrom: number;
}

const HEAD =
  `<!-- Generated from core/handlers/mod.ts by \`deno task generate\`; edits are lost. -->

# The protocol: APIs and versions

What this broker answers, and so what ApiVersions advertises. An API that is not in this table is
not advertised; a request for it, or in a version outside the range, ends the connection with a line
in the log, as with Apache Kafka. Only ApiVersions answers every version, in version 0 with
UNSUPPORTED_VERSION and this table, so that clients can step down (KIP-511). Ranges follow Apache
Kafka 4.1. A version is *flexible* (compact lengths, tagged fields) from the one named on.

| key | API | versions | flexible from | handler |
| ---: | --- | --- | --- | --- |
`;

const NOTES = `
Produce advertises versions from 0 though it serves them from 3 on: librdkafka switches features
off unless 0 is in the range (KAFKA-18659).

The text at the head of each handler's file says how it behaves, with the KIPs behind it, and what
is not done.
`;

function row(api: Row): string {
  const from = api.advertisedMinVersion;
  const served = from === api.minVersion ? "" : ` (served from ${api.minVersion})`;
  const flexible = Number.isFinite(api.flexibleFrom) ? String(api.flexibleFrom) : "never";
  const snake = api.name.replace(/(?<!^)[A-Z]/g, (letter) => "_" + letter).toLowerCase();
  const file = `core/handlers/${String(api.key).padStart(2, "0")}_${snake}.ts`;
  const range = from === api.maxVersion ? String(from) : `${from}–${api.maxVersion}`;
  const versions = range + served;
  return `| ${api.key} | ${api.name} | ${versions} | ${flexible} | [\`${file}\`](../${file}) |\n`;
}

export async function protocolPage(): Promise<string> {
  const { handlers } = await import("../../core/handlers/mod.ts");
  const apis = handlers.map(({ api }): Row => api);
  return HEAD + apis.sort((a, b) => a.key - b.key).map(row).join("") + NOTES;
}
