import { objectStoreConformance } from "../../conformance/object_store.ts";
import { minioForFile } from "../../services/minio.ts";
import { emptyBucketOn, faultyBucketOn, NOT_ON_DISK } from "../bucket_stores.ts";

const minio = await minioForFile("ObjectStore(s3)");
if (minio !== undefined) {
  objectStoreConformance("s3", emptyBucketOn(minio, "s3"), {
    skip: NOT_ON_DISK,
    openFaulty: faultyBucketOn(minio, "s3"),
  });
}
