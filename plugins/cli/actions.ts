/** The first word behind a command that does several things: `topics list`. */
import { suggest } from "../../core/config/mod.ts";
import { UsageError } from "./command.ts";

/** The action and the names behind it; `without` are actions that take none. */
export function pickAction<A>(
  actions: Readonly<Record<string, A>>,
  [action, ...names]: readonly string[],
  without: readonly string[],
): { readonly action: string; readonly act: A; readonly names: readonly string[] } {
  const known = Object.keys(actions);
  if (action === undefined) {
    throw new UsageError(`say ${known.slice(0, -1).join(", ")} or ${known.at(-1)}`);
  }
  const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (act === undefined) throw new UsageError(`unknown action ${action}${suggest(action, known)}`);
  if (without.includes(action) && names.length > 0) {
    throw new UsageError(`${action} takes no names`);
  }
  return { action, act, names };
}
