/** The command line on Apache Kafka, next to Kafka's own tool. */
import { testBesideKafkasTool } from "./beside_kafkas_tool.ts";

testBesideKafkasTool("kafka");
