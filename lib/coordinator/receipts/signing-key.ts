/** The key that receipts are signed with: made at the first start, kept in the data folder, readable by its user only. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ReceiptKey } from "#lib/protocol/receipts.ts";

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: ReceiptKey;
}

export async function openSigningKey(dataFolder: string): Promise<SigningKey> {
  const path = join(dataFolder, "receipts-key.pem");
  const privateKey = createPrivateKey(await readFile(path, "utf8").catch(() => make(path)));
  const { x, ...rest } = createPublicKey(privateKey).export({ format: "jwk" });
  const kid = createHash("sha256").update(String(x)).digest("hex").slice(0, 16);
  return { privateKey, publicKey: ReceiptKey.parse({ ...rest, x, kid }) };
}

async function make(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(pem);
    await file.sync();
  } finally {
    await file.close();
  }
  return pem;
}
