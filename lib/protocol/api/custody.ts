/**
 * The submitter's custody over REST (lib/coordinator/custody/README.md): the key-holder plans and encrypts at home, uploads
 * batches of ciphertexts in parts, and later fetches lane results and says whether they decrypted. Nothing here has a field
 * for a key or a plain value.
 */
import { z } from "zod";
import { FileId } from "../ids.ts";
import { DATASET_LIMITS } from "../limits.ts";

/** What the key-holder measured of its own plan: shown, and held against `min_fidelity`. */
const OwnMeasurements = z.object({
  fidelity: z.object({
    records: z.int().nonnegative(),
    same_answer_rate: z.number().min(0).max(1),
    largest_error: z.number().nonnegative(),
    mean_error: z.number().nonnegative(),
  }),
  key_holder_ms_per_record: z.number().nonnegative(),
  plain_model_ms_per_record: z.number().nonnegative(),
});

/** What a job in the submitter's custody says instead of a dataset. Everything else is worked out from the programs. */
export const SealedJob = OwnMeasurements.extend({
  records: z.int().positive().max(DATASET_LIMITS.records),
  /** Windows or tiles that every record is cut into at home, each a row of a batch; the two times are of one row. */
  segments: z.int().positive().max(DATASET_LIMITS.segments).default(1),
  /** Lane programs, one per model and in their order: files uploaded with purpose=program. */
  programs: z.array(FileId).min(1).max(64),
});
export type SealedJob = z.infer<typeof SealedJob>;

/** The public seed of a batch's masks: 16 random bytes, hex, never used for a second batch. */
export const MaskSeed = z.string().regex(/^[0-9a-f]{32}$/, "32 hex digits are wanted here");

/**
 * absent: not begun. uploading: parts are missing. computing: donors work on it. computed: every lane has a result, the
 * key-holder may fetch and decrypt. auditing: it was said to be noise, every lane is recomputed. rejected: it has to be
 * encrypted anew under the next generation's key. confirmed: decrypted; its ciphertexts are deleted.
 */
export const SealedBatchState = z.enum([
  "absent",
  "uploading",
  "computing",
  "computed",
  "auditing",
  "rejected",
  "confirmed",
]);
export type SealedBatchState = z.infer<typeof SealedBatchState>;

export const SealedBatch = z
  .object({
    batch: z.int().nonnegative(),
    state: SealedBatchState,
    /** Which of the job's keys it is, or has to be, encrypted under. */
    generation: z.int().nonnegative(),
    mask_seed: MaskSeed.nullable(),
    /** While it is uploaded: parts that are not here yet. */
    missing_parts: z.array(z.int().nonnegative()).nullable(),
    /** Bytes of its lane results, program after program; null until it is computed. */
    results_bytes: z.array(z.int().nonnegative()).nullable(),
  })
  .meta({ id: "SealedBatch" });
export type SealedBatch = z.infer<typeof SealedBatch>;

/** What the key-holder has to do next, and how much room there is for it. */
export const SealedProgress = z
  .object({
    object: z.literal("sealed_progress"),
    batches: z.int().positive(),
    records_per_batch: z.int().positive(),
    batch_bytes: z.int().positive(),
    /** Every part but a batch's last has this many bytes. */
    part_bytes: z.int().positive(),
    /** Ranges of batches that are done with, `[first, count]`. */
    confirmed: z.array(z.tuple([z.int(), z.int()])),
    /** Begun and not confirmed. */
    open: z.array(SealedBatch),
    /** Batches that may be begun now. 0: wait until one of the open ones is confirmed. */
    room: z.int().nonnegative(),
  })
  .meta({ id: "SealedProgress" });
export type SealedProgress = z.infer<typeof SealedProgress>;

export const BeginBatch = z.object({ generation: z.int().nonnegative(), mask_seed: MaskSeed });
export const CompleteBatch = z.object({ mask_seed: MaskSeed });

/** What decryption showed of one program's results. */
export const BatchVerdict = z.discriminatedUnion("verdict", [
  z.object({
    verdict: z.literal("sane"),
    program: z.int().nonnegative().default(0),
    generation: z.int().nonnegative(),
    fidelity: z.object({
      records: z.int().nonnegative(),
      same_answer_rate: z.number().min(0).max(1),
      largest_error: z.number().nonnegative(),
    }),
  }),
  z.object({
    verdict: z.literal("noise"),
    program: z.int().nonnegative().default(0),
    generation: z.int().nonnegative(),
  }),
]);
export type BatchVerdict = z.infer<typeof BatchVerdict>;
