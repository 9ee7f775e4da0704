/** The store's contract on the backend that FLUX_TEST_STORE names (sqlite where it is not set). */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import { type OpenedStore, storeContract } from "./store.contract.ts";

async function openSqlite(): Promise<OpenedStore> {
  const folder = mkdtempSync(join(tmpdir(), "flux-store-"));
  const path = join(folder, "flux.db");
  const stores = [openSqliteStore(path)];
  const store = stores[0]!;
  return {
    store,
    async reopen() {
      await store.close();
      stores.push(openSqliteStore(path));
      return stores.at(-1)!;
    },
    async crash() {
      const copy = join(folder, "crashed.db");
      for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
      stores.push(openSqliteStore(copy));
      return stores.at(-1)!;
    },
    async dispose() {
      for (const opened of stores) await opened.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const backends: Record<string, () => Promise<OpenedStore>> = { sqlite: openSqlite };
const chosen = process.env.FLUX_TEST_STORE ?? "sqlite";
const open = backends[chosen];
if (!open)
  throw new Error(`FLUX_TEST_STORE=${chosen}: there is no such backend, only ${Object.keys(backends).join(", ")}`);
storeContract(chosen, open);
