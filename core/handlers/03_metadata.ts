/**
 * Metadata (key 3), versions 0 to 13.
 */
export {};
