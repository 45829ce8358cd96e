/**
 * DescribeTopicPartitions (key 75), version 0.
 */
export {};
