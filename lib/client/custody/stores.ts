/**
 * What a key-holder keeps between runs, as two ports. Keys: one per job and generation, durable before anything is encrypted under
 * them, readable by their owner only. Everything else of a job: its state, ciphertexts on their way, decrypted outputs.
 */
import { z } from "zod";
import { Pieces, WHOLE } from "#lib/aggregation/pieces.ts";
import { type KeyholderPlan, parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { Reducer } from "#lib/protocol/api/aggregation.ts";
import { ColumnMapping, DatasetFormat, Preprocessing, SegmentSpec } from "#lib/protocol/datasets.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { Digest, JobId } from "#lib/protocol/ids.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";

export interface KeyStore {
  /** Durable when it resolves. */
  write(job: JobId, generation: number, secret: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Undefined where it is not here. */
  read(job: JobId, generation: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

export interface JobStore {
  /** Whole or not at all. */
  put(job: JobId, name: string, content: Blob): Promise<void>;
  get(job: JobId, name: string): Promise<Blob | undefined>;
  remove(job: JobId, name: string): Promise<void>;
}

/** A file that is read again after a restart, recognised by its length and its ends. */
const KnownFile = z.object({
  name: z.string(),
  bytes: z.int().nonnegative(),
  fingerprint: Digest,
  /** Where it was on this machine; null in a browser. */
  path: z.string().nullable(),
});
export type KnownFile = z.infer<typeof KnownFile>;

const SealedState = z.object({
  version: z.literal(1),
  job: JobId,
  /** The coordinator's address. */
  url: z.string(),
  plan: z.unknown().transform((plan): KeyholderPlan => parseKeyholderPlan(plan)),
  programs: z.array(z.object({ digest: Digest, members: z.array(z.int().nonnegative()).min(1) })).min(1),
  /** Outputs of every member. */
  members: z.array(z.array(RecordTensor).min(1)).min(1),
  records: z.int().positive(),
  /** What every record is cut into. */
  pieces: Pieces.default([WHOLE]),
  segments: SegmentSpec.optional(),
  /** Rows of a batch: records, or pieces of them. */
  recordsPerBatch: z.int().positive(),
  batches: z.int().positive(),
  idName: z.string().nullable(),
  /** Names of the label's classes where they are words; null where there is no label column. */
  label: z
    .object({ name: z.string(), classes: z.array(z.string()).nullable() })
    .nullable()
    .default(null),
  /** How members become one answer. */
  aggregation: Reducer.default("auto"),
  models: z.array(KnownFile).min(1),
  dataset: KnownFile,
  ingest: z.object({
    format: DatasetFormat.optional(),
    columns: z.array(z.string()).optional(),
    labelColumn: z.string().optional(),
    idColumn: z.string().optional(),
    preprocessing: Preprocessing.optional(),
  }),
  inputs: ColumnMapping.shape.inputs,
});
export type SealedState = z.infer<typeof SealedState>;

const STATE = "state";
export const programBlob = (program: number): string => `program${program}`;
export const lanesBlob = (batch: number): string => `lanes${batch}`;
export const seedBlob = (batch: number): string => `seed${batch}`;
export const outputsBlob = (batch: number, member: number, output: number): string =>
  `outputs${member}.${batch}.${output}`;
/** Of the records whose first piece is in the batch: float64, NaN where a record has no label. */
export const labelsBlob = (batch: number): string => `labels${batch}`;
/** Labels and ratings that were given after the results. */
export const FEEDBACK_BLOB = "feedback";
export const idsBlob = (batch: number): string => `ids${batch}`;
/** Written after all outputs of a batch: it is decrypted, and its key-holder will never need its lanes again. */
export const decryptedBlob = (batch: number): string => `decrypted${batch}`;

/** A state that was written down elsewhere (key-file.ts). */
export const parseState = (json: unknown): SealedState => SealedState.parse(json);

export async function saveState(store: JobStore, state: SealedState): Promise<void> {
  await store.put(state.job, STATE, jsonBlob(state));
}

/** @throws FluxError key_lost where this machine knows nothing of the job */
export async function loadState(store: JobStore, job: JobId): Promise<SealedState> {
  const blob = await store.get(job, STATE);
  if (blob) return SealedState.parse(await readJson(blob));
  throw new FluxError(
    "key_lost",
    `The key of ${job} is not on this machine: its results can be decrypted only where it was submitted. Go there, bring the key along, or submit it again.`,
  );
}

/** @throws FluxError key_lost */
export async function keyOf(keys: KeyStore, job: JobId, generation: number): Promise<Uint8Array<ArrayBuffer>> {
  const secret = await keys.read(job, generation);
  if (secret) return secret;
  throw new FluxError(
    "key_lost",
    `Key ${generation} of ${job} is gone from this machine: what was encrypted under it cannot be read by anybody. Restore the key file, or submit the job again.`,
  );
}

export async function knownFile(name: string, content: Blob, path: string | null): Promise<KnownFile> {
  return { name, bytes: content.size, fingerprint: await fingerprintOf(content), path };
}

/** @throws FluxError dataset_mismatch where it is another file than the one that was encrypted */
export async function checkSame(known: KnownFile, content: Blob): Promise<void> {
  if (content.size === known.bytes && (await fingerprintOf(content)) === known.fingerprint) return;
  throw new FluxError(
    "dataset_mismatch",
    `${known.name} has changed since the job was submitted: its batches would no longer fit together. Restore the file, or submit the job again.`,
  );
}

const ENDS_BYTES = 2 ** 20;

async function fingerprintOf(content: Blob): Promise<Digest> {
  const ends = new Blob([content.slice(0, ENDS_BYTES), content.slice(-ENDS_BYTES)]);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await ends.arrayBuffer()));
  return Digest.parse(Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""));
}

export function jsonBlob(value: unknown): Blob {
  return new Blob([JSON.stringify(value)]);
}

export async function readJson(blob: Blob): Promise<unknown> {
  return JSON.parse(await blob.text());
}
