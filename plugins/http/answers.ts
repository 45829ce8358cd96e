/** Responses as all plugins give them. */

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** `value` as JSON, indented for people with curl. */
export function json(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(value, undefined, 2) + "\n", {
    status,
    headers: { "content-type": "application/json", ...HEADERS, ...headers },
  });
}

/** One sentence that says what is wrong and what to do. */
export function problem(
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return json({ error }, status, headers);
}
