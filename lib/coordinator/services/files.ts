/** Uploaded files: streamed to the blob store, counted against the tenant's quota. */
import type { FilePurpose, FileResource } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { FileId } from "#lib/protocol/ids.ts";
import { MODEL_LIMITS, UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { BlobStore, ByteSource } from "#lib/storage/objects.ts";
import type { FileRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, Store } from "#lib/storage/store.ts";
import type { Identity } from "../identity.ts";
import { quotasOf } from "../quotas.ts";
import { cleanName } from "./names.ts";

export interface NewFile {
  readonly filename: string;
  /** Asked for once the source has ended: a form may name it after the file. */
  readonly purpose: () => FilePurpose;
  readonly source: ByteSource;
}

export interface FileService {
  create(caller: Identity, file: NewFile): Promise<FileResource>;
  get(caller: Identity, id: FileId): Promise<FileResource>;
  list(caller: Identity, page: PageRequest<FileId>): Promise<Page<FileResource>>;
  remove(caller: Identity, id: FileId): Promise<void>;
}

export function createFileService(store: Store, blobs: BlobStore, now: () => number): FileService {
  async function checkQuota(caller: Identity): Promise<number> {
    const usage = await store.files.usage(caller.tenantId);
    const quota = await quotasOf(store, caller.tenantId);
    if (usage.files >= quota.files) {
      throw new FluxError("quota_exceeded", `This account may have ${quota.files} files, and has them: delete some.`);
    }
    const left = quota.bytes - usage.bytes;
    if (left > 0) return left;
    throw new FluxError(
      "quota_exceeded",
      `This account may have ${quota.bytes} bytes of files, and has ${usage.bytes}: delete some.`,
    );
  }

  /** A blob may be shared with other files; it goes when nothing points at it any more. */
  async function dropBlob(digest: FileRecord["sha256"]): Promise<void> {
    if (!(await store.files.refersTo(digest))) await blobs.remove(digest);
  }

  return {
    async create(caller, file) {
      const left = await checkQuota(caller);
      const blob = await blobs
        .put(file.source, { maxBytes: Math.min(left, UPLOAD_LIMITS.uploadBytes) })
        .catch((error: unknown) => {
          const full =
            error instanceof FluxError && error.code === "payload_too_large" && left < UPLOAD_LIMITS.uploadBytes;
          throw full ? outOfSpace(left) : error;
        });
      try {
        const purpose = file.purpose();
        if (blob.bytes === 0) throw new FluxError("invalid_request", "The file is empty: nothing was sent.");
        if (purpose === "model" && blob.bytes > MODEL_LIMITS.modelBytes) {
          throw new FluxError("model_too_large", `A model file may have up to ${MODEL_LIMITS.modelBytes} bytes.`);
        }
        const record: FileRecord = {
          id: freshId("file"),
          tenantId: caller.tenantId,
          filename: cleanName(file.filename),
          purpose,
          bytes: blob.bytes,
          sha256: blob.digest,
          createdAtMs: now(),
        };
        // Another upload may have ended in between: what counts is decided where the row is written.
        await store.files.insertWithin(record, await quotasOf(store, caller.tenantId));
        return fileResource(record);
      } catch (error) {
        await dropBlob(blob.digest);
        throw error;
      }
    },
    get: async (caller, id) => fileResource(await store.files.get(caller.tenantId, id)),
    async list(caller, page) {
      const { items, hasMore } = await store.files.list(caller.tenantId, page);
      return { items: items.map(fileResource), hasMore };
    },
    async remove(caller, id) {
      const { sha256 } = await store.files.get(caller.tenantId, id);
      await store.files.remove(caller.tenantId, id);
      await dropBlob(sha256);
    },
  };
}

function outOfSpace(left: number): FluxError {
  return new FluxError(
    "quota_exceeded",
    `The file does not fit: this account has ${left} bytes left. Delete some files, or ask the operator for more.`,
  );
}

function fileResource(record: FileRecord): FileResource {
  return {
    id: record.id,
    object: "file",
    filename: record.filename,
    purpose: record.purpose,
    bytes: record.bytes,
    sha256: record.sha256,
    created_at: new Date(record.createdAtMs).toISOString(),
  };
}
