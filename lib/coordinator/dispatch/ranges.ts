/** Pure arithmetic on unit ranges: what of a batch is not covered yet. */
import type { UnitRange } from "#lib/storage/records.ts";

/**
 * What `covered` leaves of the primes × units of a batch.
 * @param covered ranges of this batch, in any order; overlapping ones are a bug that throws
 * @param maxUnits longer ranges are cut; left out, they are as long as can be
 */
export function* uncovered(
  shape: { readonly batch: number; readonly primes: number; readonly unitsPerPrime: number },
  covered: readonly UnitRange[],
  maxUnits = Number.MAX_SAFE_INTEGER,
): Generator<UnitRange> {
  const own = covered.filter(({ batch }) => batch === shape.batch);
  own.sort((a, b) => a.prime - b.prime || a.unitStart - b.unitStart);
  let next = 0;
  for (let prime = 0; prime < shape.primes; prime++) {
    let at = 0;
    for (let range = own[next]; range?.prime === prime; range = own[++next]) {
      if (range.unitStart < at) throw new Error(`units ${range.unitStart}… of batch ${shape.batch} are covered twice`);
      yield* pieces(shape.batch, prime, at, range.unitStart, maxUnits);
      at = range.unitStart + range.unitCount;
    }
    yield* pieces(shape.batch, prime, at, shape.unitsPerPrime, maxUnits);
  }
}

/** Equal pieces, so that none is a crumb. */
function* pieces(batch: number, prime: number, from: number, to: number, maxUnits: number): Generator<UnitRange> {
  const count = Math.ceil((to - from) / maxUnits);
  for (let i = 0; i < count; i++) {
    const unitStart = from + Math.floor(((to - from) * i) / count);
    const end = from + Math.floor(((to - from) * (i + 1)) / count);
    yield { batch, prime, unitStart, unitCount: end - unitStart };
  }
}
