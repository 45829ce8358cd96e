/** Kafka's config value types: parsing, bounds, and the numbers that DescribeConfigs gives them. */

/** As DescribeConfigs v3+ numbers them. */
export const CONFIG_TYPE = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
} as const;

export type ConfigType = keyof typeof CONFIG_TYPE;

/** A value's rule: says what is wrong with a trimmed value, or undefined when nothing is. */
export interface ValueRule {
  readonly type: ConfigType;
  fault(value: string): string | undefined;
}

const RANGES = {
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  long: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;

/** A whole number in Java's range of `type`, and in [min, max] where given. */
export function whole(type: "int" | "long", min?: number, max?: number): ValueRule {
  const [lowest, highest] = RANGES[type];
  return {
    type,
    fault(value) {
      if (!/^[+-]?\d{1,19}$/.test(value)) return `it is not a number of type ${type.toUpperCase()}`;
      const number = BigInt(value);
      if (number < lowest || number > highest) {
        return `it is not a number of type ${type.toUpperCase()}`;
      }
      if (min !== undefined && number < BigInt(min)) return `it must be at least ${min}`;
      if (max !== undefined && number > BigInt(max)) return `it must be no more than ${max}`;
      return undefined;
    },
  };
}

export function fraction(min: number, max: number): ValueRule {
  return {
    type: "double",
    fault(value) {
      const number = Number(value);
      if (value === "" || Number.isNaN(number)) return "it is not a number of type DOUBLE";
      return number < min || number > max ? `it must be between ${min} and ${max}` : undefined;
    },
  };
}

export function truth(): ValueRule {
  return {
    type: "boolean",
    fault: (value) =>
      /^(true|false)$/i.test(value) ? undefined : "it must be true or false (type BOOLEAN)",
  };
}

/**
 * One of `served`; `known` holds values that Kafka takes and this broker cannot honour, each with
 * the reason that the client is told.
 */
export function oneOf(
  type: "string" | "list" | "boolean",
  served: readonly string[],
  known: Readonly<Record<string, string>> = {},
): ValueRule {
  return {
    type,
    fault(value) {
      const wanted = type === "boolean" ? value.toLowerCase() : value;
      if (served.includes(wanted)) return undefined;
      const all = [...served, ...Object.keys(known)].join(", ");
      return (Object.hasOwn(known, wanted) ? known[wanted] : undefined) ??
        `it must be one of ${all}`;
    },
  };
}

/** One or more of `served`, separated by commas. */
export function anyOf(served: readonly string[]): ValueRule {
  return {
    type: "list",
    fault(value) {
      const members = listMembers(value);
      const known = members.length > 0 && members.every((member) => served.includes(member));
      return known ? undefined : `it must be one or more of ${served.join(", ")}`;
    },
  };
}

/** `*`, nothing, or `partition:broker` pairs. */
export function throttledReplicas(): ValueRule {
  return {
    type: "list",
    fault: (value) =>
      /^(\*|(\d+:\d+)?(\s*,\s*\d+:\d+)*)$/.test(value)
        ? undefined
        : "it must be * or a list like 0:1,1:2 (partition:broker)",
  };
}

/** A long as a number: values beyond 2^53 mean "for ever" and become the largest safe integer. */
export function asNumber(value: string): number {
  const number = Number(value);
  return number > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : number;
}

/** The members of a LIST value. */
export function listMembers(value: string): string[] {
  return value.split(",").map((member) => member.trim()).filter((member) => member !== "");
}
