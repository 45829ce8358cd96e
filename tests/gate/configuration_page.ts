/** docs/configuration.md out of the settings table. */
import { envName, flagName, type Setting, SETTING_KEYS, SETTINGS } from "../../core/config/mod.ts";
import { LATER_SETTINGS } from "../../core/config/later_settings.ts";

const HEAD =
  `<!-- Generated from core/config/settings.ts by \`deno task generate\`; edits are lost. -->

# Settings

Every setting is an environment variable, a flag of \`start\` and \`config\`, and a key of the
JSON file that \`--config FILE\` or \`KAFSCALE_CONFIG\` names. A flag wins over the environment,
that over the file, that over the default. \`kafscale config\` shows what is in effect and where
each value came from.

Sizes are bytes, or numbers with a unit that counts in powers of 1,024: \`64MiB\`, \`64mb\`,
\`64m\`. Booleans are \`true\` or \`false\` (also \`1\`, \`0\`, \`yes\`, \`no\`, \`on\`,
\`off\`). A variable that is set to nothing counts as not set.

An unknown \`KAFSCALE_*\` variable is a warning, because environments are shared between programs;
an unknown flag or file key is an error. Both name the nearest setting that exists.

\`\`\`json
{ "brokerId": 1, "brokerAddr": ":9192", "dataDir": "/var/lib/kafscale", "cacheBytes": "128MiB" }
\`\`\`
`;

const TITLES: Readonly<Record<Setting["category"], string>> = {
  broker: "Broker",
  storage: "Storage and commits",
  etcd: "Metadata in etcd",
  s3: "S3 and MinIO",
  cache: "Cache",
  topics: "Topics",
  groups: "Groups",
  connections: "Connections and requests",
  operations: "Plugins and operations",
  logging: "Logs",
};

const LATER_HEAD = `
## Not available in this version

These names are known, and belong to parts that are still to come. In the environment they bring a
warning, as a flag or in the file an error; none is ignored silently.

| variable | what it will be |
| --- | --- |
`;

function section(category: Setting["category"]): string {
  const rows = SETTING_KEYS.filter((key) => SETTINGS[key].category === category).map((key) => {
    const setting: Setting = SETTINGS[key];
    const aliases = (setting.aliases ?? []).map((alias) => `Also \`${alias}\`.`);
    const kafka = setting.kafka === undefined ? [] : [`Kafka: \`${setting.kafka}\`.`];
    const scope = setting.scope === "cluster" ? ["The same on every broker."] : [];
    const text = [setting.doc, ...scope, ...kafka, ...aliases].join(" ");
    const shown = setting.default === null ? "unset" : `\`${setting.kind.show(setting.default)}\``;
    const names = `\`${envName(key)}\`<br>\`--${flagName(key)}\`<br>\`${key}\``;
    const expects = setting.kind.expects.replaceAll("|", "\\|");
    return `| ${names} | ${expects} | ${shown} | ${text.replaceAll("|", "\\|")} |`;
  });
  return `
## ${TITLES[category]}

| variable, flag, key | value | default | what it does |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}

export function configurationPage(): string {
  const categories = Object.keys(TITLES) as Setting["category"][];
  const later = Object.entries(LATER_SETTINGS)
    .map(([key, { doc }]) => `| \`${envName(key)}\` | ${doc} |\n`);
  return HEAD + categories.map(section).join("") + LATER_HEAD + later.join("");
}
