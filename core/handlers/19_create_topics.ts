/**
 * CreateTopics (key 19), versions 2 to 7.
 */
export {};
