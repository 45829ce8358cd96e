/** The error codes inside a response, wherever its schema has them. */
import type { AnyApi } from "./api.ts";
import { type Field, type Fields, schemaOf } from "./schema.ts";

/** Adds every code but NONE to `counts`; returns how many there were. */
export type CountErrors = (response: unknown, counts: Map<number, number>) => number;

/** The walk over responses of `api`: only the fields that lead to an error code are looked at. */
export function errorCounter(api: AnyApi): CountErrors {
  const schema = schemaOf(api);
  return schema === undefined ? () => 0 : structWalk(schema.response) ?? (() => 0);
}

/** Undefined where no error code lies below. */
function structWalk(fields: Fields): CountErrors | undefined {
  const steps: { readonly name: string; readonly walk: CountErrors }[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const walk = /errorCode$/i.test(name) ? countCode : shapeWalk(field);
    if (walk !== undefined) steps.push({ name, walk });
  }
  if (steps.length === 0) return undefined;
  return (value, counts) => {
    if (value === null || value === undefined) return 0;
    let found = 0;
    for (let index = 0; index < steps.length; index++) {
      const { name, walk } = steps[index]!;
      found += walk((value as Record<string, unknown>)[name], counts);
    }
    return found;
  };
}

function shapeWalk({ shape }: Field<unknown>): CountErrors | undefined {
  if (shape.kind === "struct") return structWalk(shape.fields);
  if (shape.kind !== "array") return undefined;
  const walk = shapeWalk(shape.element);
  if (walk === undefined) return undefined;
  return (value, counts) => {
    const elements = value as readonly unknown[] | null | undefined;
    if (elements === null || elements === undefined) return 0;
    let found = 0;
    for (let index = 0; index < elements.length; index++) found += walk(elements[index], counts);
    return found;
  };
}

/** A handler may leave a code out, which means NONE. */
const countCode: CountErrors = (value, counts) => {
  if (value === 0 || value === undefined) return 0;
  const code = value as number;
  counts.set(code, (counts.get(code) ?? 0) + 1);
  return 1;
};
