import type { z } from "zod";
import type { BrokerView, HttpRequest, PluginStatus } from "../../core/plugin/mod.ts";
import { json, problem } from "../http/mod.ts";

/** What operations work on. */
export interface Scene {
  readonly broker: BrokerView;
  /** First part of the keys of metadata snapshots. */
  readonly snapshotPrefix: string;
  readonly plugins: () => readonly PluginStatus[];
}

/** A parameter in the path or the query. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly doc: string;
  readonly schema: z.ZodType;
}

/** One operation of the API: how it is asked for, what it answers, what it does. */
export interface Operation {
  readonly id: string;
  readonly method: "GET" | "POST";
  /** With parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  /** Asked for with the token only. */
  readonly changes: boolean;
  readonly timeoutMs?: number;
  /** Answers by status; 200 is among them. Refusals that every operation shares are not listed. */
  readonly answers: Readonly<Record<number, { readonly doc: string; readonly schema: z.ZodType }>>;
  run(scene: Scene, asked: Asked): Promise<Answer> | Answer;
}

export interface Asked {
  readonly path: HttpRequest["path"];
  /** Checked values of the parameters in the query. */
  readonly query: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}

export function notFound(error: string): Answer {
  return { status: 404, body: { error } };
}

/** Runs an operation for a request whose parameters are still text. */
export async function respond(
  operation: Operation,
  scene: Scene,
  request: HttpRequest,
): Promise<Response> {
  const query: Record<string, unknown> = {};
  const known = operation.parameters.filter((parameter) => parameter.in === "query");
  for (const name of request.url.searchParams.keys()) {
    if (known.some((parameter) => parameter.name === name)) continue;
    const names = known.map((parameter) => parameter.name).join(", ") || "none";
    return problem(400, `there is no query parameter ${name} here; those that are: ${names}`);
  }
  for (const { name, schema, doc } of known) {
    const given = request.url.searchParams.get(name) ?? undefined;
    const read = schema.safeParse(given);
    if (!read.success) return problem(400, `${name} must be as documented: ${doc}`);
    query[name] = read.data;
  }
  const { status, body } = await operation.run(scene, { path: request.path, query });
  return json(body, status);
}
