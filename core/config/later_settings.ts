/**
 * Names that KafScale users know and that later parts of the project bring. They are known from the
 * start, so that setting one says "not available in this version" instead of being ignored.
 */
import { envName } from "./settings.ts";

export interface LaterSetting {
  /** The part of the project that will read it. */
  readonly part: "s3" | "security" | "logging";
  readonly doc: string;
  /** Its value is never printed. */
  readonly secret?: true;
}

export const LATER_SETTINGS: Readonly<Record<string, LaterSetting>> = {
  aclEnabled: { part: "security", doc: "Check access control lists." },
  aclJson: { part: "security", doc: "Access control lists as JSON." },
  aclFile: { part: "security", doc: "File with access control lists." },
  aclFailOpen: { part: "security", doc: "Allow what no list decides." },
  principalSource: { part: "security", doc: "Where a client's principal comes from." },
  proxyProtocol: { part: "security", doc: "Expect the PROXY protocol header on connections." },
  traceKafka: { part: "logging", doc: "Log every request." },
};

/** Families of names that other KafScale programs read. */
const OTHER_PROGRAMS = [
  "OPERATOR",
  "UI",
  "CONSOLE",
  "MCP",
  "PROXY",
  "LFS",
  "E2E",
  "DEMO",
].map((family) => `KAFSCALE_${family}_`);

const LATER_ENVIRONMENT = new Map(Object.keys(LATER_SETTINGS).map((key) => [envName(key), key]));

/** What an environment name that no setting of this version has is to us. */
export function laterEnvironment(name: string): "later" | "other program" | undefined {
  if (LATER_ENVIRONMENT.has(name)) return "later";
  return OTHER_PROGRAMS.some((prefix) => name.startsWith(prefix)) ? "other program" : undefined;
}
