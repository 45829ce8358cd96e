/** The command line on this broker, next to Kafka's own tool. */
import { testBesideKafkasTool } from "./beside_kafkas_tool.ts";

testBesideKafkasTool("kafscale");
