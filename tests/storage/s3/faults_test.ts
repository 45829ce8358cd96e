import { minioForFile } from "../../services/minio.ts";
import { chainUnderFaults } from "../bucket_chain.ts";
import { bucketFaults } from "../bucket_faults.ts";

const minio = await minioForFile("s3 under faults");
if (minio !== undefined) {
  bucketFaults(minio, "s3");
  chainUnderFaults(minio, "s3");
}
