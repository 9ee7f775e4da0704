/** The coordinator's interface for sealed jobs, typed (lib/protocol/api/custody.ts). */
import type { z } from "zod";
import { type BatchVerdict, type BeginBatch, SealedBatch, SealedProgress } from "#lib/protocol/api/custody.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { FluxClient, RequestOptions } from "../flux-client.ts";

export interface CustodyApi {
  progress(): Promise<SealedProgress>;
  begin(batch: number, wanted: z.input<typeof BeginBatch>): Promise<SealedBatch>;
  putPart(batch: number, part: number, seed: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  complete(batch: number, seed: string): Promise<void>;
  /** Bytes `start..end` of a program's lane results. */
  results(batch: number, program: number, start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  verdict(batch: number, said: z.input<typeof BatchVerdict>): Promise<void>;
}

export function custodyApi(client: FluxClient, job: JobId, options: RequestOptions = {}): CustodyApi {
  const at = `/jobs/${job}/batches`;
  const send = async <Answer>(schema: z.ZodType<Answer>, method: string, path: string, json?: unknown) => {
    const response = await client.request(method, path, { ...options, ...(json === undefined ? {} : { json }) });
    return schema.parse(await response.json());
  };
  return {
    progress: () => send(SealedProgress, "GET", at),
    begin: (batch, wanted) => send(SealedBatch, "POST", `${at}/${batch}`, wanted),
    async putPart(batch, part, seed, bytes) {
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      await client.request("PUT", `${at}/${batch}/parts/${part}?seed=${seed}`, {
        ...options,
        body: new Blob([bytes]),
        headers: { "Content-Digest": `sha-256=:${btoa(String.fromCharCode(...hash))}:` },
      });
    },
    async complete(batch, seed) {
      await send(SealedBatch, "POST", `${at}/${batch}/complete`, { mask_seed: seed });
    },
    async results(batch, program, start, end) {
      const response = await client.request("GET", `${at}/${batch}/results?program=${program}`, {
        ...options,
        headers: { Range: `bytes=${start}-${end - 1}` },
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length === end - start) return bytes;
      throw new FluxError("unavailable", `${bytes.length} bytes of results came, ${end - start} were asked for.`);
    },
    async verdict(batch, said) {
      await send(SealedBatch, "POST", `${at}/${batch}/verdict`, said);
    },
  };
}
