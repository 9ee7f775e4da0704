import { z } from "zod";
import { Deleted, page, pageQuery } from "#lib/protocol/api/common.ts";
import { CreateDataset, DatasetResource } from "#lib/protocol/api/uploads.ts";
import { DatasetId } from "#lib/protocol/ids.ts";
import type { DatasetService } from "../../services/datasets.ts";
import { listOf } from "../lists.ts";
import { type Route, route } from "../route.ts";

const Params = z.object({ dataset: DatasetId });

export function datasetRoutes(datasets: DatasetService): Route[] {
  return [
    route({
      method: "POST",
      path: "/datasets",
      operation: "createDataset",
      heavy: true,
      tag: "Datasets",
      summary: "Read a dataset file",
      description:
        "Answers what was understood: columns, shapes, ranges and the first records, as the model will read them.",
      scope: "jobs:write",
      bodyKind: "json",
      body: CreateDataset,
      status: 201,
      errors: [
        "dataset_unreadable",
        "dataset_too_large",
        "dataset_ragged",
        "dataset_value",
        "dataset_unsafe",
        "dataset_empty",
      ],
      answer: DatasetResource,
      handle: async ({ body }, caller) => ({ value: await datasets.create(caller, body) }),
    }),
    route({
      method: "GET",
      path: "/datasets",
      operation: "listDatasets",
      tag: "Datasets",
      summary: "List datasets, newest first",
      scope: "jobs:read",
      query: pageQuery(DatasetId),
      answer: page(DatasetResource),
      handle: async ({ query }, caller) => ({ value: listOf(await datasets.list(caller, query)) }),
    }),
    route({
      method: "GET",
      path: "/datasets/{dataset}",
      operation: "getDataset",
      tag: "Datasets",
      summary: "One dataset",
      scope: "jobs:read",
      params: Params,
      answer: DatasetResource,
      handle: async ({ params }, caller) => ({ value: await datasets.get(caller, params.dataset) }),
    }),
    route({
      method: "DELETE",
      path: "/datasets/{dataset}",
      operation: "deleteDataset",
      tag: "Datasets",
      summary: "Delete a dataset",
      description: "Refused while a job refers to it.",
      scope: "jobs:write",
      params: Params,
      errors: ["conflict"],
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await datasets.remove(caller, params.dataset);
        return { value: { id: params.dataset, deleted: true as const } };
      },
    }),
  ];
}
