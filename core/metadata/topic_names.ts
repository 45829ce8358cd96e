/** Kafka's rules for topic names; they hold before a name becomes part of a key. */

const NAME_CHARACTERS_MAX = 249;
const LEGAL = /^[a-zA-Z0-9._-]+$/;

/** Why `name` cannot be a topic's, or undefined when it can. */
export function topicNameFault(name: string): string | undefined {
  if (name === "") return "the topic name is empty";
  if (name === "." || name === "..") return "a topic cannot be named '.' or '..'";
  if (name.length > NAME_CHARACTERS_MAX) {
    return `the topic name has ${name.length} characters, and at most ${NAME_CHARACTERS_MAX} are ` +
      "allowed";
  }
  if (!LEGAL.test(name)) {
    return `the topic name '${name}' has characters other than ASCII letters, digits, '.', '_' ` +
      "and '-'";
  }
  return undefined;
}

/**
 * Topics whose names differ only in '.' against '_' would share a metric, so a new one that
 * collides is refused (KAFKA-2337). Undefined for names without either character.
 */
export function collisionName(name: string): string | undefined {
  return /[._]/.test(name) ? name.replaceAll(".", "_") : undefined;
}
