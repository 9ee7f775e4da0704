/** Gets what a lease needs: its stage's spec and model by digest over HTTP, its payload from the answer or the socket. */
import type { Lease } from "#lib/protocol/donor.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { StageSpec } from "#lib/protocol/stage.ts";
import type { ArtefactSource } from "./artefacts.ts";
import type { HeldLease, Ingredients } from "./leases.ts";
import type { Link } from "./link.ts";

export interface Intake {
  gather(held: HeldLease, answer: Packed): Promise<Ingredients>;
}

/** The buffer of a lease answer: the inline payloads, and how long they took to arrive together. */
export interface Packed {
  buffer: Uint8Array<ArrayBuffer>;
  bufferMs: number;
}

export function createIntake(ports: { link: Link; artefacts: ArtefactSource }): Intake {
  const { link, artefacts } = ports;
  /** Payloads come one after the other: side by side they would only delay the first. */
  let lastPayload: Promise<unknown> = Promise.resolve();

  async function stageOf(lease: Lease, signal: AbortSignal): Promise<Pick<Ingredients, "spec" | "artefact">> {
    const spec = parseSpec(await artefacts.get(lease.specDigest, signal), lease);
    const digest = spec.kernel === "lanes" ? spec.program.digest : spec.model.digest;
    return { spec, artefact: await artefacts.get(digest, signal) };
  }

  function payloadOf(held: HeldLease, packed: Packed): Promise<Pick<Ingredients, "payload" | "downloadMs">> {
    const { leaseId, fence, inlineOffset, payloadBytes } = held.lease;
    if (inlineOffset !== null) {
      // Payloads are handed on whole, by their buffer: a lease that is alone in the answer needs no copy.
      const alone = payloadBytes === packed.buffer.buffer.byteLength;
      const own = alone ? packed.buffer : packed.buffer.slice(inlineOffset, inlineOffset + payloadBytes);
      const payload = exactly(own, payloadBytes);
      return Promise.resolve({ payload, downloadMs: (packed.bufferMs * payloadBytes) / packed.buffer.length });
    }
    const coming = lastPayload.then(async () => {
      if (held.abort.signal.aborted) throw new FluxError("lease_unknown", "The lease has ended");
      const { buffer, bufferMs } = await link.request("payload:get", { leaseId, fence });
      return { payload: exactly(buffer, payloadBytes), downloadMs: bufferMs };
    });
    lastPayload = coming.catch(() => {});
    return coming;
  }

  return {
    async gather(held, packed) {
      const [stage, payload] = await Promise.all([stageOf(held.lease, held.abort.signal), payloadOf(held, packed)]);
      return { ...stage, ...payload };
    },
  };
}

function exactly(payload: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> {
  if (payload.length === bytes) return payload;
  throw new FluxError("result_malformed", `The payload has ${payload.length} bytes where the lease says ${bytes}`);
}

function parseSpec(bytes: Uint8Array<ArrayBuffer>, lease: Lease): StageSpec {
  const spec = StageSpec.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!spec.success) throw new FluxError("protocol_version", "The stage's spec is not of a form this page knows");
  if (spec.data.kernel !== lease.kernel) throw new FluxError("protocol_version", "Spec and lease name other kernels");
  return spec.data;
}
