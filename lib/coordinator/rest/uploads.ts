/**
 * /uploads: resumable uploads by the tus protocol (tus.io, 1.0), for files that a multipart request should not hold. An
 * upload belongs to the tenant that began it; when its last byte is here it becomes a file like any other, and the answer
 * to that last request is the file.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";
import { FilePurpose } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { TenantId } from "#lib/protocol/ids.ts";
import { UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import type { Store } from "#lib/storage/store.ts";
import { type Identity, requireScope } from "../identity.ts";
import { quotasOf } from "../quotas.ts";
import type { FileService } from "../services/files.ts";
import type { Admission } from "./admission.ts";
import { problemOf, sendProblem } from "./problem.ts";

export const UPLOADS_PATH = "/uploads";

export interface UploadsOptions {
  readonly store: Store;
  readonly files: FileService;
  readonly folder: string;
  readonly admission: Admission;
}

export interface Uploads {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** Forgets what an account has begun and not finished. */
  readonly removeAll: (tenantId: TenantId) => Promise<void>;
  readonly close: () => void;
}

/** GET would hand out what was uploaded, and is no part of tus. */
const METHODS = new Set(["POST", "HEAD", "PATCH", "DELETE", "OPTIONS"]);
/** An upload that is not taken up again within a day is forgotten. */
const KEPT_MS = 24 * 3600 * 1000;
const SWEEP_MS = 3600 * 1000;

export function createUploads({ store, files, folder, admission }: UploadsOptions): Uploads {
  const caller = new AsyncLocalStorage<Identity>();
  const datastore = new FileStore({ directory: join(folder, "uploads"), expirationPeriodInMilliseconds: KEPT_MS });

  function current(): Identity {
    const identity = caller.getStore();
    if (!identity) throw new Error("an upload is handled without its caller");
    return identity;
  }

  const tus = new Server({
    path: UPLOADS_PATH,
    datastore,
    maxSize: UPLOAD_LIMITS.uploadBytes,
    relativeLocation: true,
    allowedOrigins: () => false,
    async onIncomingRequest(request, id) {
      if (request.method === "POST") return;
      const upload = await datastore.getUpload(id).catch(() => undefined);
      if (upload?.metadata?.tenant !== current().tenantId) {
        throw refusal(new FluxError("not_found", "There is no such upload for this API key: begin it again."));
      }
    },
    async onUploadCreate(_request, upload) {
      const { filename, purpose } = upload.metadata ?? {};
      checkPurpose(purpose);
      const usage = await store.files.usage(current().tenantId);
      const quota = await quotasOf(store, current().tenantId);
      if (usage.bytes + (upload.size ?? 0) > quota.bytes) {
        throw refusal(
          new FluxError(
            "quota_exceeded",
            `This account may have ${quota.bytes} bytes of files, and has ${usage.bytes}: delete some.`,
          ),
        );
      }
      return { metadata: { filename: filename ?? "unnamed", purpose: purpose ?? "", tenant: current().tenantId } };
    },
    async onUploadFinish(_request, upload) {
      try {
        const file = await files.create(current(), {
          filename: upload.metadata?.filename ?? "unnamed",
          purpose: () => checkPurpose(upload.metadata?.purpose),
          source: datastore.read(upload.id),
        });
        await datastore.remove(upload.id);
        return {
          status_code: 200,
          headers: { "Content-Type": "application/json; charset=utf-8" },
          body: JSON.stringify(file),
        };
      } catch (error) {
        throw refusal(error);
      }
    },
  });
  const sweep = setInterval(() => void datastore.deleteExpired().catch(() => {}), SWEEP_MS);
  sweep.unref();

  return {
    async answer(request, response) {
      response.setHeader("Cache-Control", "no-store");
      try {
        if (!METHODS.has(request.method ?? "")) {
          response.setHeader("Allow", [...METHODS].join(", "));
          throw new FluxError("method_not_allowed", "Resumable uploads use POST, HEAD, PATCH and DELETE (tus 1.0).");
        }
        // It would turn an allowed method into another one behind the checks above.
        delete request.headers["x-http-method-override"];
        const admitted = await admission.admit(request, response, "write");
        try {
          requireScope(admitted.caller, "jobs:write");
          await caller.run(admitted.caller, () => tus.handle(request, response));
        } finally {
          admitted.done();
        }
      } catch (error) {
        sendProblem(request, response, problemOf(error));
      }
    },
    async removeAll(tenantId) {
      for (const id of (await datastore.configstore.list?.()) ?? []) {
        const upload = await datastore.getUpload(id).catch(() => undefined);
        if (upload?.metadata?.tenant === tenantId) await datastore.remove(id).catch(() => {});
      }
    },
    close: () => clearInterval(sweep),
  };
}

function checkPurpose(purpose: string | null | undefined): FilePurpose {
  const parsed = FilePurpose.safeParse(purpose);
  if (parsed.success) return parsed.data;
  throw refusal(
    new FluxError(
      "invalid_request",
      'Say what the file is: Upload-Metadata needs "purpose" with "model", "dataset" or "program".',
    ),
  );
}

/** As the tus server wants to be told of a refusal. */
function refusal(error: unknown): { status_code: number; body: string } {
  const problem = problemOf(error);
  return { status_code: problem.status, body: JSON.stringify(problem) };
}
