/**
 * Stage specs, models and lane programs: immutable files by digest. Kept in memory, and in Cache Storage where the browser
 * lends it; checked by SHA-256 before every first use, wherever they come from.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import type { Digest } from "#lib/protocol/ids.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";

export interface ArtefactSource {
  /** The checked bytes. Concurrent calls share one download. */
  get(digest: Digest, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** What needs no download, most recent first. */
  cached(): Digest[];
}

/** What artefacts need of the outside; tests give their own. */
export interface ArtefactPorts {
  origin: string;
  fetch: typeof fetch;
  /** Null where there is no Cache Storage. */
  caches: CacheStorage | null;
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  onDownload(bytes: number): void;
}

const CACHE_NAME = "flux-artefacts-1";
/** A donor's memory is promised to stay below 512 MB; artefacts may have a quarter of it. */
const MEMORY_BYTES = 128 * 1024 * 1024;
/** On disk: some models of the usual size. */
const DISK_BYTES = 512 * 1024 * 1024;

export async function openArtefacts(ports: ArtefactPorts): Promise<ArtefactSource> {
  const disk = await openDisk(ports);
  const memory = new Map<Digest, Uint8Array<ArrayBuffer>>();
  const loading = new Map<Digest, Promise<Uint8Array<ArrayBuffer>>>();

  async function load(digest: Digest, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const kept = await disk.read(digest);
    if (kept && (await ports.sha256(kept)) === digest) return remember(digest, kept);
    const bytes = await download(digest, signal);
    if ((await ports.sha256(bytes)) !== digest) {
      throw new FluxError("unavailable", "A downloaded file does not have its digest; it was thrown away");
    }
    void disk.write(digest, bytes);
    return remember(digest, bytes);
  }

  async function download(digest: Digest, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const response = await ports.fetch(`${ports.origin}/artefacts/${digest}`, { signal, credentials: "omit" });
    if (!response.ok) throw new FluxError("unavailable", `The coordinator answered ${response.status} for an artefact`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length > MODEL_LIMITS.modelBytes) throw new FluxError("model_too_large", "The model is over the limit");
    ports.onDownload(bytes.length);
    return bytes;
  }

  function remember(digest: Digest, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    memory.set(digest, bytes);
    let total = 0;
    for (const entry of memory.values()) total += entry.length;
    for (const [oldest, entry] of memory) {
      if (total <= MEMORY_BYTES || oldest === digest) break;
      memory.delete(oldest);
      total -= entry.length;
    }
    return bytes;
  }

  return {
    get(digest, signal) {
      const here = memory.get(digest);
      if (here) {
        memory.delete(digest);
        memory.set(digest, here);
        return Promise.resolve(here);
      }
      const already = loading.get(digest);
      if (already) return already;
      const coming = load(digest, signal).finally(() => loading.delete(digest));
      loading.set(digest, coming);
      return coming;
    },
    cached: () => [...new Set([...[...memory.keys()].reverse(), ...disk.digests()])],
  };
}

interface Disk {
  read(digest: Digest): Promise<Uint8Array<ArrayBuffer> | null>;
  write(digest: Digest, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  digests(): Digest[];
}

const NO_DISK: Disk = { read: async () => null, write: async () => {}, digests: () => [] };

/** Cache Storage with a byte limit, oldest out first. Any refusal by the browser turns into "not cached". */
async function openDisk({ caches, origin }: ArtefactPorts): Promise<Disk> {
  if (!caches) return NO_DISK;
  try {
    const cache = await caches.open(CACHE_NAME);
    const sizes = new Map<Digest, number>();
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      sizes.set(digestOf(request.url), Number(response?.headers.get("content-length") ?? 0));
    }
    const urlOf = (digest: Digest): string => `${origin}/artefacts/${digest}`;
    return {
      async read(digest) {
        if (!sizes.has(digest)) return null;
        const response = await cache.match(urlOf(digest)).catch(() => undefined);
        return response ? new Uint8Array(await response.arrayBuffer()) : null;
      },
      async write(digest, bytes) {
        try {
          const headers = { "content-length": String(bytes.length) };
          await cache.put(urlOf(digest), new Response(bytes, { headers }));
          sizes.set(digest, bytes.length);
          let total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
          for (const [oldest, size] of sizes) {
            if (total <= DISK_BYTES || oldest === digest) break;
            await cache.delete(urlOf(oldest));
            sizes.delete(oldest);
            total -= size;
          }
        } catch {
          // Quota or private mode: memory serves this visit.
        }
      },
      digests: () => [...sizes.keys()],
    };
  } catch {
    return NO_DISK;
  }
}

function digestOf(url: string): Digest {
  return url.slice(url.lastIndexOf("/") + 1) as Digest;
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
