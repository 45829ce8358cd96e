/**
 * InitProducerId (key 22).
 */
export {};
