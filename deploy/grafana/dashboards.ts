/** The dashboards. */
import { BROKER } from "./broker.ts";
import { COST } from "./cost.ts";
import type { Dashboard } from "./dashboard.ts";
import { GROUPS } from "./groups.ts";
import { STORAGE } from "./storage.ts";

export const DASHBOARDS: readonly Dashboard[] = [BROKER, STORAGE, GROUPS, COST];
