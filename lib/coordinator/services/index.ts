/** The services of submitters' things, together. */
import type { GroupService } from "../partners/group-service.ts";
import type { SiteService } from "../partners/site-service.ts";
import type { DatasetService } from "./datasets.ts";
import type { DonorService } from "./donors.ts";
import type { FileService } from "./files.ts";
import type { JobRecordsService } from "./job-records.ts";
import type { JobWorkService } from "./job-work.ts";
import type { JobService } from "./jobs.ts";
import type { ModelService } from "./models.ts";

export interface Services {
  readonly jobs: JobService;
  readonly files: FileService;
  readonly models: ModelService;
  readonly datasets: DatasetService;
  readonly jobWork: JobWorkService;
  readonly jobRecords: JobRecordsService;
  readonly donors: DonorService;
  readonly sites: SiteService;
  readonly groups: GroupService;
}
