/**
 * DeleteTopics (key 20), versions 1 to 6.
 */
export {};
