/** Checks results of public stages: draws records after the result is here, and has the pool recompute them. */
import { randomInt } from "node:crypto";
import { sampleUnits, USUAL_UNIT_SHARE, unitsToCheck } from "#lib/integrity/sampling.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { Digest } from "#lib/protocol/ids.ts";
import { type OnnxStageSpec, StageSpec, type TfjsStageSpec } from "#lib/protocol/stage.ts";
import { bytesPerRecord, elementsPerRecord } from "#lib/protocol/tensors.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { PayloadSource, ResultChecker } from "../dispatch/kernel-services.ts";
import type { CheckingPool } from "./pool.ts";

export interface RecordCheckerOptions {
  readonly payloads: PayloadSource;
  readonly blobs: BlobStore;
  readonly pool: CheckingPool;
  /** Share of a known donor's records that is recomputed. */
  readonly auditedShare?: () => number;
  /** A uniform integer in 0..n−1. @default from the system's cryptographic source */
  readonly randomBelow?: (n: number) => number;
}

/** Of open stages: a handful at a time, some kilobytes each. */
const KNOWN_SPECS = 256;

type RecordsSpec = OnnxStageSpec | TfjsStageSpec;

export function recordChecker(options: RecordCheckerOptions): ResultChecker {
  const { payloads, blobs, pool, auditedShare = () => USUAL_UNIT_SHARE, randomBelow = randomInt } = options;
  const specs = new Map<Digest, Promise<RecordsSpec>>();

  function specOf(digest: Digest): Promise<RecordsSpec> {
    let spec = specs.get(digest);
    if (!spec) {
      spec = readSpec(blobs, digest);
      spec.catch(() => specs.delete(digest));
      specs.set(digest, spec);
      if (specs.size > KNOWN_SPECS) for (const oldest of [...specs.keys()].slice(0, 64)) specs.delete(oldest);
    }
    return spec;
  }

  return {
    async check({ stage, batch, range, donor, result }) {
      const spec = await specOf(stage.specDigest);
      const modelPath = blobs.path(spec.model.digest);
      if (modelPath === undefined) throw new Error("results are checked with models on this machine's disk");
      const wanted = unitsToCheck(range.unitCount, donor, auditedShare());
      const units = sampleUnits(range.unitCount, wanted, randomBelow);
      const payload = await payloads.read(stage, batch, range);
      const { wrongRecords, drift } = await pool.check({
        modelPath,
        spec,
        records: units.length,
        payload: pick(
          payload,
          spec.inputs.map(({ stored }) => bytesPerRecord(stored)),
          range.unitCount,
          units,
        ),
        result: pick(
          result,
          spec.outputs.map((output) => 4 * elementsPerRecord(output)),
          range.unitCount,
          units,
        ),
      });
      if (wrongRecords.length === 0) return { right: true, checkedUnits: units.length, drift };
      // Which records were looked at stays unknown.
      const detail =
        "The result differs from a recomputed sample. Reload the page; if it goes on, this device computes wrongly.";
      return { right: false, code: "audit_failed", detail };
    },
  };
}

async function readSpec(blobs: BlobStore, digest: Digest): Promise<RecordsSpec> {
  const spec = StageSpec.parse(JSON.parse(new TextDecoder().decode(await blobs.read(digest))));
  if (spec.kernel !== "lanes") return spec;
  throw new FluxError("unavailable", `Results of ${spec.kernel} stages are not checked by this checker.`);
}

/** Rows of some records out of sections that hold `unitCount` rows each, packed in the same way. */
function pick(
  bytes: Uint8Array,
  rowBytes: readonly number[],
  unitCount: number,
  units: readonly number[],
): Uint8Array<ArrayBuffer> {
  const picked = new Uint8Array(units.length * rowBytes.reduce((sum, row) => sum + row, 0));
  let section = 0;
  let at = 0;
  for (const row of rowBytes) {
    for (const unit of units) {
      picked.set(bytes.subarray(section + unit * row, section + (unit + 1) * row), at);
      at += row;
    }
    section += unitCount * row;
  }
  return picked;
}
