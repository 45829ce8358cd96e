import { minioForFile } from "../../services/minio.ts";
import { chainUnderFaults } from "../bucket_chain.ts";
import { bucketFaults } from "../bucket_faults.ts";

const minio = await minioForFile("minio under faults");
if (minio !== undefined) {
  bucketFaults(minio, "minio");
  chainUnderFaults(minio, "minio");
}
