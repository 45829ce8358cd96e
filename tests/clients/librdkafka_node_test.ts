import { nodeAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("librdkafka-node", "node", "npm", "g++", "make", "python3")) {
  testClient({
    client: "librdkafka-node",
    start: (bootstrap) => nodeAgent(bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
      ..."maxTimestamp createTopic listTopics describeTopic createPartitions".split(" "),
      ..."deleteTopic deleteRecords listGroups describeGroup deleteGroup".split(" "),
      ..."groupOffsets gzip snappy lz4 zstd dupHeaders offsets strict assignors".split(" "),
      ..."static".split(" "),
    ],
  });
}
