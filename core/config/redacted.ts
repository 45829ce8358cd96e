import type { Config } from "./config.ts";
import { type Setting, SETTING_KEYS, SETTINGS } from "./settings.ts";

/** Stands for a secret wherever settings are shown. */
export const SECRET = "(secret)";

/** Every setting's value as it may be shown; a secret that is not set is null. */
export function redacted(config: Config): Record<keyof Config, unknown> {
  const shown: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) {
    const { secret }: Setting = SETTINGS[key];
    shown[key] = secret === true && config[key] !== null ? SECRET : config[key];
  }
  return shown as Record<keyof Config, unknown>;
}
