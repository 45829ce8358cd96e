/** A topic's configs as clients see them: every known one, with its value and where that is from. */
import type { Config } from "../config/config.ts";
import { SETTINGS } from "../config/settings.ts";
import { defaultValue, TOPIC_CONFIGS, type TopicConfigRow } from "../metadata/topic_config.ts";

/** As DescribeConfigs and CreateTopics number the sources. */
export const CONFIG_SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const;

export interface EffectiveConfig {
  readonly name: string;
  readonly value: string;
  readonly configSource: number;
}

/** All topic configs, ascending by name. `overrides` are the topic's own. */
export function effectiveTopicConfigs(
  overrides: ReadonlyMap<string, string>,
  config: Config,
): EffectiveConfig[] {
  const names = [...TOPIC_CONFIGS.keys()].sort();
  return names.map((name) => {
    const row = TOPIC_CONFIGS.get(name)!;
    const own = overrides.get(name);
    return own !== undefined
      ? { name, value: own, configSource: CONFIG_SOURCE.topic }
      : { name, value: defaultValue(row, config), configSource: inheritedFrom(row, config) };
  });
}

function inheritedFrom({ default: fallback }: TopicConfigRow, config: Config): number {
  switch (fallback) {
    case "segmentBytes":
    case "maxMessageBytes":
    case "retentionMs":
    case "retentionBytes":
      return config[fallback] === SETTINGS[fallback].default
        ? CONFIG_SOURCE.default
        : CONFIG_SOURCE.staticBroker;
    default:
      return CONFIG_SOURCE.default;
  }
}
