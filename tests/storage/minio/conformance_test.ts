import { objectStoreConformance } from "../../conformance/object_store.ts";
import { minioForFile } from "../../services/minio.ts";
import { emptyBucketOn, faultyBucketOn, NOT_ON_DISK } from "../bucket_stores.ts";

const minio = await minioForFile("ObjectStore(minio)");
if (minio !== undefined) {
  objectStoreConformance("minio", emptyBucketOn(minio, "minio"), {
    skip: NOT_ON_DISK,
    openFaulty: faultyBucketOn(minio, "minio"),
  });
}
