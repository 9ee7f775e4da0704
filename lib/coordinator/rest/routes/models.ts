import { z } from "zod";
import { Deleted, page, pageQuery } from "#lib/protocol/api/common.ts";
import { CreateModel, ModelResource } from "#lib/protocol/api/uploads.ts";
import { ModelId } from "#lib/protocol/ids.ts";
import type { ModelService } from "../../services/models.ts";
import { listOf } from "../lists.ts";
import { type Route, route } from "../route.ts";

const Params = z.object({ model: ModelId });

export function modelRoutes(models: ModelService): Route[] {
  return [
    route({
      method: "POST",
      path: "/models",
      operation: "createModel",
      heavy: true,
      tag: "Models",
      summary: "Read a model file",
      description: "Answers what was understood: inputs, outputs, operators, and whether it can run on encrypted data.",
      scope: "jobs:write",
      bodyKind: "json",
      body: CreateModel,
      status: 201,
      errors: ["model_unreadable", "model_external_data", "model_too_large", "model_unsupported", "model_invalid"],
      answer: ModelResource,
      handle: async ({ body }, caller) => ({ value: await models.create(caller, body) }),
    }),
    route({
      method: "GET",
      path: "/models",
      operation: "listModels",
      tag: "Models",
      summary: "List models, newest first",
      scope: "jobs:read",
      query: pageQuery(ModelId),
      answer: page(ModelResource),
      handle: async ({ query }, caller) => ({ value: listOf(await models.list(caller, query)) }),
    }),
    route({
      method: "GET",
      path: "/models/{model}",
      operation: "getModel",
      tag: "Models",
      summary: "One model",
      scope: "jobs:read",
      params: Params,
      answer: ModelResource,
      handle: async ({ params }, caller) => ({ value: await models.get(caller, params.model) }),
    }),
    route({
      method: "DELETE",
      path: "/models/{model}",
      operation: "deleteModel",
      tag: "Models",
      summary: "Delete a model",
      description: "Refused while a job refers to it.",
      scope: "jobs:write",
      params: Params,
      errors: ["conflict"],
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await models.remove(caller, params.model);
        return { value: { id: params.model, deleted: true as const } };
      },
    }),
  ];
}
