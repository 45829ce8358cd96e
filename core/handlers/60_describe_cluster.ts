/**
 * DescribeCluster (key 60), versions 0 to 2.
 */
export {};
