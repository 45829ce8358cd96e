/**
 * The house rules as a `deno lint` plugin (deno.json names it): what the compiler and the stock
 * rules cannot see. Each rule is tested in house_rules_test.ts; works on Deno 2.7 and later.
 */
import {
  ACCEPTED,
  COLUMNS_MAX,
  EXEMPT,
  FILE_LINES_MAX,
  FILE_LINES_WARN,
  FUNCTION_LINES_MAX,
} from "./budget.ts";
import { AMBIENT_FILES, type ImportTarget, refusal } from "./import_rules.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Names that say nothing about what is inside. */
const VAGUE_NAMES = /^(utils?|helpers?|common|misc|types?)(_test)?$/;

/** Globals that bring time, chance or I/O in; core gets all three through its Runtime. */
const AMBIENT_GLOBALS = new Set([
  "Deno",
  "Worker",
  "MessageChannel",
  "BroadcastChannel",
  "WebSocket",
  "console",
  "crypto",
  "globalThis",
  "localStorage",
  "performance",
  "process",
  "self",
  "sessionStorage",
]);

const AMBIENT_CALLS = new Set([
  "Date",
  "clearInterval",
  "clearTimeout",
  "fetch",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

const AMBIENT_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  AbortSignal: ["timeout"],
  Atomics: ["wait", "waitAsync"],
  Date: ["now"],
  Math: ["random"],
};

function relative(filename: string): string {
  const path = filename.replaceAll("\\", "/");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}

/** The target of an import: a path from the root, or the bare specifier of a package. */
function importTarget(from: string, specifier: string): ImportTarget {
  if (!/^\.{0,2}\//.test(specifier)) return { package: specifier };
  return { path: new URL(specifier, `file:///${from}`).pathname.slice(1) };
}

const imports: Deno.lint.Rule = {
  create(context) {
    const from = relative(context.filename);
    const check = (node: Deno.lint.Node, source: unknown, typesOnly: boolean) => {
      const specifier = (source as { value?: unknown } | null)?.value;
      if (typeof specifier !== "string") return;
      const message = refusal(from, importTarget(from, specifier), typesOnly);
      if (message === undefined) return;
      context.report({ node, message, hint: "the table is in tests/gate/import_rules.ts" });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source, node.importKind === "type"),
      ExportAllDeclaration: (node) => check(node, node.source, node.exportKind === "type"),
      ExportNamedDeclaration: (node) => check(node, node.source, node.exportKind === "type"),
      ImportExpression: (node) => check(node, node.source, false),
    };
  },
};

/** A use of an ambient global, unless the file declares that name itself. */
interface Suspect {
  readonly node: Deno.lint.Node;
  readonly global: string;
  readonly text: string;
}

const ambient: Deno.lint.Rule = {
  create(context) {
    const path = relative(context.filename);
    if (!path.startsWith("core/") || AMBIENT_FILES.includes(path)) return {};
    const declared = new Set<string>();
    const suspects: Suspect[] = [];
    const declareParameters = ({ params }: FunctionNode) => {
      for (const each of params) if (each.type === "Identifier") declared.add(each.name);
    };
    return {
      ImportSpecifier: (node) => void declared.add(node.local.name),
      VariableDeclarator: (node) =>
        void (node.id.type === "Identifier" && declared.add(node.id.name)),
      FunctionDeclaration: (node) => {
        if (node.id) declared.add(node.id.name);
        declareParameters(node);
      },
      FunctionExpression: declareParameters,
      ArrowFunctionExpression: declareParameters,
      MemberExpression: (node) => suspects.push(...memberSuspects(node)),
      CallExpression: (node) => suspects.push(...calleeSuspects(node, node.callee)),
      NewExpression: (node) => {
        // `new Date(ms)` is a pure function, `new Date()` is a clock
        const clock = node.callee.type === "Identifier" && node.callee.name === "Date" &&
          node.arguments.length === 0;
        const other = node.callee.type === "Identifier" && AMBIENT_GLOBALS.has(node.callee.name);
        if (clock || other) suspects.push(...calleeSuspects(node, node.callee));
      },
      "Program:exit": () => {
        for (const { node, global, text } of suspects) {
          if (declared.has(global)) continue;
          context.report({
            node,
            message: `core may not use ${text}`,
            hint: "take it from the injected Runtime (core/runtime/runtime.ts)",
          });
        }
      },
    };
  },
};

function memberSuspects(node: Deno.lint.MemberExpression): Suspect[] {
  if (node.object.type !== "Identifier") return [];
  const global = node.object.name;
  if (AMBIENT_GLOBALS.has(global)) return [{ node, global, text: `${global}.*` }];
  const property = node.property.type === "Identifier" ? node.property.name : "";
  if (!AMBIENT_MEMBERS[global]?.includes(property)) return [];
  return [{ node, global, text: `${global}.${property}` }];
}

function calleeSuspects(node: Deno.lint.Node, callee: Deno.lint.Node): Suspect[] {
  if (callee.type !== "Identifier") return [];
  const global = callee.name;
  if (!AMBIENT_CALLS.has(global) && !AMBIENT_GLOBALS.has(global)) return [];
  return [{ node, global, text: `${global}()` }];
}

const fileNames: Deno.lint.Rule = {
  create(context) {
    const path = relative(context.filename);
    const name = path.slice(path.lastIndexOf("/") + 1).replace(/(\.d)?\.[a-z]+$/, "");
    const report = (message: string, hint: string) => ({
      Program: (node: Deno.lint.Program) => context.report({ node, message, hint }),
    });
    if (VAGUE_NAMES.test(name)) {
      return report(`the file name ${name} says nothing`, "name it after what it does");
    }
    if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name)) {
      return report(`the file name ${name} is not snake_case`, "rename it");
    }
    return {};
  },
};

/** What is over the budget, given what is accepted; undefined when all is well. */
function overBudget(key: string, lines: number, max: number): string | undefined {
  const accepted = ACCEPTED[key];
  if (accepted === undefined) return lines > max ? `${lines} lines, over ${max}` : undefined;
  if (lines > accepted) return `${lines} lines, over the accepted ${accepted}`;
  if (lines < accepted) return `${lines} lines now: lower the accepted ${accepted}`;
  return undefined;
}

const fileSize: Deno.lint.Rule = {
  create(context) {
    const path = relative(context.filename);
    return {
      Program() {
        const lines = context.sourceCode.text.replace(/\n$/, "").split("\n");
        const report = (range: [number, number], message: string) =>
          context.report({ range, message, hint: "see tests/gate/budget.ts" });
        let at = 0;
        for (const line of lines) {
          if (line.length > COLUMNS_MAX && !/https?:/.test(line)) {
            report([at, at + line.length], `a line of ${line.length}, over ${COLUMNS_MAX} columns`);
          }
          at += line.length + 1;
        }
        if (EXEMPT.some((pattern) => pattern.test(path))) return;
        if (lines.length > FILE_LINES_MAX) {
          return report([0, 1], `the file has ${lines.length} lines, over ${FILE_LINES_MAX}`);
        }
        const warn = path.startsWith("tests/") ? FILE_LINES_MAX : FILE_LINES_WARN;
        const over = overBudget(path, lines.length, warn);
        if (over !== undefined) report([0, 1], `the file has ${over}`);
      },
    };
  },
};

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

const functionSize: Deno.lint.Rule = {
  create(context) {
    const path = relative(context.filename);
    // a test file's functions are lists of cases
    if (path.startsWith("tests/") || path.startsWith("bench/")) return {};
    const check = (node: FunctionNode) => {
      const lines = context.sourceCode.getText(node).split("\n").length;
      const name = functionName(node);
      const over = overBudget(`${path}#${name}`, lines, FUNCTION_LINES_MAX);
      if (over === undefined) return;
      context.report({ node, message: `${name} has ${over}`, hint: "see tests/gate/budget.ts" });
    };
    return {
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
    };
  },
};

function functionName(node: FunctionNode): string {
  if (node.type !== "ArrowFunctionExpression" && node.id) return node.id.name;
  const parent = node.parent as { key?: { name?: string }; id?: { name?: string } };
  return parent.key?.name ?? parent.id?.name ?? "(anonymous)";
}

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "imports": imports,
    "ambient": ambient,
    "file-name": fileNames,
    "file-size": fileSize,
    "function-size": functionSize,
  },
};

export default plugin;
