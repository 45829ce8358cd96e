/**
 * The one table of allowed imports. Think hard before you edit it: every line that is added makes
 * the broker harder to understand in parts. A room imports only lower rooms; when a lower room
 * needs something of a higher one, pass it in as a parameter, or name an interface in the lower
 * room. The order is that of docs/architecture.md, low to high.
 */

export interface RoomRule {
  /** Rooms that it may import; itself always. */
  readonly imports: readonly string[];
  /** Rooms of which it may import types alone, because composition hands it the values. */
  readonly types?: readonly string[];
  /** npm packages by the name in deno.json's import map, and `node:` modules. */
  readonly packages?: readonly string[];
}

const BASE = ["core/runtime", "core/bytes"];
const LOW = [...BASE, "core/config"];
const STORED = [...LOW, "core/protocol", "core/storage", "core/metadata"];
const LOGGED = [...STORED, "core/log", "core/cluster"];
const DOMAIN = [...LOGGED, "core/groups", "core/transactions", "core/security"];

/** What a plugin sees: the broker through its view, and no room behind it. */
const VIEWED = [...LOW, "core/plugin"];

/** The synchronous, deterministic parts of node: compression, hashes and SQLite's own driver. */
const PURE_NODE = ["node:zlib", "node:crypto"];

/** Rooms by path, longest match first. A file outside every room may import anything. */
export const ROOMS: Readonly<Record<string, RoomRule>> = {
  // only for system.ts, the real Runtime
  "core/runtime": { imports: [], packages: ["node:timers"] },
  "core/bytes": { imports: ["core/runtime"], packages: PURE_NODE },
  "core/config": { imports: BASE, packages: ["zod"] },
  "core/protocol": { imports: LOW, packages: PURE_NODE },
  "core/storage": { imports: [...LOW, "core/protocol"], packages: PURE_NODE },
  "core/metadata": {
    imports: [...LOW, "core/protocol"],
    packages: [...PURE_NODE, "protobufjs", "zod"],
  },
  "core/log": { imports: STORED, packages: PURE_NODE },
  // recovery hands partitions their entries; ClusterView is what handlers ask of it
  "core/cluster": {
    imports: [...STORED, "core/log"],
    types: ["core/handlers"],
    packages: PURE_NODE,
  },
  "core/groups": { imports: LOGGED, packages: PURE_NODE },
  // reads committed offsets back; only plugins and tests use it
  "core/fsck": { imports: [...STORED, "core/groups"], packages: PURE_NODE },
  "core/transactions": { imports: LOGGED, packages: PURE_NODE },
  "core/security": { imports: LOGGED, packages: PURE_NODE },
  // handlers/rooms.ts names what composition puts in, the server's fetch sessions among it
  "core/handlers": { imports: DOMAIN, types: ["core/server"], packages: PURE_NODE },
  "core/server": { imports: [...DOMAIN, "core/handlers"], packages: PURE_NODE },
  "core/plugin": {
    imports: [...DOMAIN, "core/handlers", "core/server"],
    packages: ["zod"],
  },
  "core/broker_parts.ts": { imports: LOGGED, types: ["core/handlers"] },
  "core/broker.ts": {
    imports: ["core/broker_parts.ts", ...DOMAIN, "core/handlers", "core/server", "core/plugin"],
  },
  // facades of the standard library for the front door and tests; nothing else of core needs them
  "core/std": { imports: [], packages: ["deno-std"] },

  "drivers/storage": {
    imports: [...LOW, "core/storage"],
    packages: ["node:fs", "node:path", "node:crypto", "node:buffer"],
  },
  "drivers/storage/s3": {
    imports: [...LOW, "core/storage", "drivers/storage"],
    packages: ["@aws-sdk/client-s3"],
  },
  "drivers/storage/minio": {
    imports: [...LOW, "core/storage", "drivers/storage"],
    packages: ["minio", "node:buffer", "node:events", "node:http", "node:stream"],
  },
  "drivers/metadata": {
    imports: [...LOW, "core/metadata"],
    packages: ["node:sqlite", "node:fs", "node:path", "node:crypto", "node:buffer"],
  },
  "drivers/metadata/etcd": {
    imports: [...LOW, "core/metadata"],
    packages: ["etcd3", "node:buffer", "node:http2", "node:timers"],
  },
  "drivers/mod.ts": {
    imports: [
      ...LOW,
      "core/storage",
      "core/metadata",
      "drivers/storage",
      "drivers/storage/s3",
      "drivers/storage/minio",
      "drivers/metadata",
      "drivers/metadata/etcd",
    ],
  },

  "plugins/snapshot": { imports: [...STORED, "core/plugin"], packages: ["croner", "zod"] },
  "plugins/cli": {
    imports: [...DOMAIN, "core/fsck", "plugins/snapshot"],
    packages: ["@platformatic/kafka", "@std/cli", "@std/fmt", "node:buffer"],
  },
  "plugins/http": { imports: ["core/runtime", "core/plugin"], packages: ["node:crypto"] },
  "plugins/host": {
    imports: [...VIEWED, "plugins/http"],
    packages: ["node:async_hooks"],
  },
  "plugins/metrics": {
    imports: [...VIEWED, "core/protocol"],
    packages: ["prom-client", "zod", "node:process"],
  },
  "plugins/ops": {
    imports: [...VIEWED, "plugins/http", "plugins/snapshot"],
    packages: ["zod"],
  },
  // its metrics are those of the table that Prometheus reads
  "plugins/control": {
    imports: [...VIEWED, "plugins/http", "plugins/metrics"],
    packages: ["@grpc/grpc-js", "protobufjs", "zod", "node:buffer"],
  },
  "plugins/mod.ts": {
    imports: [
      ...VIEWED,
      "plugins/host",
      "plugins/metrics",
      "plugins/ops",
      "plugins/control",
      "plugins/snapshot",
    ],
  },
  "main.ts": {
    imports: ["core/broker.ts", "core/runtime", "drivers/mod.ts", "plugins/mod.ts", "plugins/cli"],
  },
};

/** Files of core that may use `Deno.*`, clocks, timers and randomness: the real Runtime alone. */
export const AMBIENT_FILES: readonly string[] = ["core/runtime/system.ts"];

/** The room that a path (relative to the root) belongs to. */
export function roomOf(path: string): string | undefined {
  let best: string | undefined;
  for (const room of Object.keys(ROOMS)) {
    const inside = path === room || path.startsWith(`${room}/`);
    if (inside && room.length > (best?.length ?? 0)) best = room;
  }
  return best;
}

/** What an import names: a file of the tree, or a package (`zod`, `node:fs`, `npm:x@1`). */
export type ImportTarget = { readonly path: string } | { readonly package: string };

/** Why `from` may not import `target`, or undefined when it may. */
export function refusal(
  from: string,
  target: ImportTarget,
  typesOnly: boolean,
): string | undefined {
  const room = roomOf(from);
  if (room === undefined) return undefined;
  const rule = ROOMS[room]!;
  if ("package" in target) {
    const { package: wanted } = target;
    const allowed = rule.packages?.some((name) => wanted === name || wanted.startsWith(`${name}/`));
    return allowed ? undefined : `${room} may not import the package ${wanted}`;
  }
  const other = roomOf(target.path);
  if (other === undefined) {
    // the manifest tells the version
    if (from === "main.ts" && target.path === "deno.json") return undefined;
    return `${room} may not import ${target.path}, which is in no room`;
  }
  if (other === room || rule.imports.includes(other)) return undefined;
  if (typesOnly && rule.types?.includes(other)) return undefined;
  const types = rule.types?.includes(other) ? " (only its types)" : "";
  return `${room} may not import ${other}${types}`;
}
