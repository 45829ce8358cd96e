/**
 * CreatePartitions (key 37), versions 0 to 3.
 */
export {};
