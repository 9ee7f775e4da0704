/** A key-holder's stores in a browser: one IndexedDB database of this origin. Keys are written with strict durability. */
import type { JobId } from "#lib/protocol/ids.ts";
import type { JobStore, KeyStore } from "../stores.ts";

const DATABASE = "flux-keyholder";
const KEYS = "keys";
const BLOBS = "blobs";

export interface BrowserStores {
  readonly keys: KeyStore & {
    /** Generations of a job's keys that are here. */
    generations(job: JobId): Promise<number[]>;
  };
  readonly jobs: JobStore & {
    /** Jobs that this browser holds something of. */
    list(): Promise<JobId[]>;
    /** Deletes everything of a job but its keys. */
    forget(job: JobId): Promise<void>;
  };
}

export async function openBrowserStores(factory: IDBFactory = indexedDB): Promise<BrowserStores> {
  const opening = factory.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(KEYS);
    opening.result.createObjectStore(BLOBS);
  };
  const database = await answered(opening);

  async function change(store: string, run: (objects: IDBObjectStore) => void): Promise<void> {
    const transaction = database.transaction(store, "readwrite", { durability: "strict" });
    run(transaction.objectStore(store));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }
  const objects = (store: string) => database.transaction(store, "readonly").objectStore(store);

  return {
    keys: {
      write: (job, generation, secret) =>
        // `add` fails where there is one: what was encrypted under that key would be lost.
        change(KEYS, (store) => void store.add(secret, [job, generation])),
      async read(job, generation) {
        const secret: unknown = await answered(objects(KEYS).get([job, generation]));
        return secret instanceof Uint8Array ? Uint8Array.from(secret) : undefined;
      },
      async generations(job) {
        const range = IDBKeyRange.bound([job, 0], [job, Number.POSITIVE_INFINITY]);
        const keys = await answered(objects(KEYS).getAllKeys(range));
        return keys.flatMap((key) => (Array.isArray(key) && typeof key[1] === "number" ? [key[1]] : []));
      },
    },
    jobs: {
      put: (job, name, content) => change(BLOBS, (store) => void store.put(content, [job, name])),
      async get(job, name) {
        const blob: unknown = await answered(objects(BLOBS).get([job, name]));
        return blob instanceof Blob ? blob : undefined;
      },
      remove: (job, name) => change(BLOBS, (store) => void store.delete([job, name])),
      async list() {
        const keys = await answered(objects(BLOBS).getAllKeys());
        const jobs = keys.flatMap((key) => (Array.isArray(key) && typeof key[0] === "string" ? [key[0]] : []));
        return [...new Set(jobs)] as JobId[];
      },
      forget: (job) => change(BLOBS, (store) => void store.delete(IDBKeyRange.bound([job], [job, []]))),
    },
  };
}

function answered<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
