import { goAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("kafka-go", "go")) {
  testClient({
    client: "kafka-go",
    start: (bootstrap) => goAgent("kafkago", bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
      ..."createTopic listTopics describeTopic createPartitions deleteTopic".split(" "),
      ..."listGroups deleteGroup groupOffsets describeCluster gzip snappy lz4 zstd".split(
        " ",
      ),
      ..."dupHeaders nullHeaders strict".split(" "),
    ],
  });
}
