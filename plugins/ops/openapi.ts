/** The OpenAPI 3.1 document of the operations, made from their table. */
import { z } from "zod";
import { NAMED, Problem } from "./answers.ts";
import type { Operation } from "./operation.ts";

type Json = Record<string, unknown>;

const SCHEMAS = "#/components/schemas/";

const REFUSALS: Readonly<Record<number, string>> = {
  400: "The request is not as documented.",
  503: "The broker starts, the time is up, or there are too many requests.",
};

const REFUSALS_OF_CHANGES: Readonly<Record<number, string>> = {
  401: "The token is missing or wrong.",
  403: "No token is set on the broker, so nothing can be changed.",
};

export function openApi(operations: readonly Operation[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const path = paths[operation.path] ??= {};
    path[operation.method.toLowerCase()] = {
      operationId: operation.id,
      summary: operation.summary,
      parameters: operation.parameters.map(({ name, in: where, doc, schema }) => ({
        name,
        in: where,
        description: doc,
        required: where === "path",
        schema: stripped(z.toJSONSchema(schema, { io: "input" })),
      })),
      ...(operation.changes ? { security: [{ token: [] }] } : {}),
      responses: responses(operation),
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "KafScale operations", version },
    paths,
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "KAFSCALE_OPS_TOKEN" },
      },
    },
  };
}

function responses({ answers, changes }: Operation): Json {
  const all: Json = {};
  const add = (status: string | number, description: string, schema: z.ZodType) => {
    const name = Object.keys(NAMED).find((each) => NAMED[each] === schema);
    const $ref = `${SCHEMAS}${name}`;
    all[status] = { description, content: { "application/json": { schema: { $ref } } } };
  };
  const refusals = { ...REFUSALS, ...(changes ? REFUSALS_OF_CHANGES : {}) };
  for (const [status, description] of Object.entries(refusals)) add(status, description, Problem);
  for (const [status, { doc, schema }] of Object.entries(answers)) add(status, doc, schema);
  return all;
}

function namedSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${SCHEMAS}${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, stripped(schema)]));
}

/** Without what names the schema outside of this document. */
function stripped({ $schema: _schema, $id: _id, ...rest }: Json): Json {
  return rest;
}
