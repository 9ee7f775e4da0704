import { z } from "zod";
import { Deleted, page, pageQuery } from "#lib/protocol/api/common.ts";
import { FilePurpose, FileResource, UploadForm } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { FileId } from "#lib/protocol/ids.ts";
import type { FileService } from "../../services/files.ts";
import { listOf } from "../lists.ts";
import { readMultipart } from "../multipart.ts";
import { type Route, route } from "../route.ts";

const Params = z.object({ file: FileId });

export function fileRoutes(files: FileService): Route[] {
  return [
    route({
      method: "POST",
      path: "/files",
      operation: "uploadFile",
      tag: "Files",
      summary: "Upload a model or dataset file",
      description:
        "One file of up to 256 MiB as multipart/form-data. Send larger files in resumable parts to /uploads.",
      scope: "jobs:write",
      bodyKind: "multipart",
      form: UploadForm,
      status: 201,
      errors: ["payload_too_large", "quota_exceeded", "model_too_large"],
      answer: FileResource,
      handle: async ({ request }, caller) => ({
        value: await readMultipart(request, (part) =>
          files.create(caller, {
            filename: part.filename,
            source: part.source,
            purpose: () => purposeOf(part.fields.purpose),
          }),
        ),
      }),
    }),
    route({
      method: "GET",
      path: "/files",
      operation: "listFiles",
      tag: "Files",
      summary: "List files, newest first",
      scope: "jobs:read",
      query: pageQuery(FileId),
      answer: page(FileResource),
      handle: async ({ query }, caller) => ({ value: listOf(await files.list(caller, query)) }),
    }),
    route({
      method: "GET",
      path: "/files/{file}",
      operation: "getFile",
      tag: "Files",
      summary: "One file",
      scope: "jobs:read",
      params: Params,
      answer: FileResource,
      handle: async ({ params }, caller) => ({ value: await files.get(caller, params.file) }),
    }),
    route({
      method: "DELETE",
      path: "/files/{file}",
      operation: "deleteFile",
      tag: "Files",
      summary: "Delete a file",
      description: "Refused while a model or dataset was made from it.",
      scope: "jobs:write",
      params: Params,
      errors: ["conflict"],
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await files.remove(caller, params.file);
        return { value: { id: params.file, deleted: true as const } };
      },
    }),
  ];
}

function purposeOf(field: string | undefined): z.infer<typeof FilePurpose> {
  const purpose = FilePurpose.safeParse(field);
  if (purpose.success) return purpose.data;
  throw new FluxError(
    "invalid_request",
    'Say what the file is: add the field "purpose" with "model", "dataset" or "program".',
    {
      param: "purpose",
    },
  );
}
