/** Pure arithmetic on unit ranges: what of a batch is not covered yet, in pieces that fit a frame. */
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import type { UnitRange } from "#lib/storage/records.ts";

/** The units whose payload and result both fit one frame. */
export function unitsPerFrame(unitBytesIn: number, unitBytesOut: number): number {
  return Math.max(1, Math.floor(SOCKET_LIMITS.payloadBytes / Math.max(1, unitBytesIn, unitBytesOut)));
}

/**
 * What `covered` leaves of the primes × units of a batch, cut into pieces of at most `maxUnits`.
 * @param covered ranges of this batch, in any order; overlapping ones are a bug that throws
 */
export function* uncovered(
  shape: { readonly batch: number; readonly primes: number; readonly unitsPerPrime: number },
  covered: readonly UnitRange[],
  maxUnits: number,
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
