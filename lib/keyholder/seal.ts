/**
 * node-seal, and the only file that touches it. Everything else in Flux sees plain residues and numbers.
 *
 * Every object of the library lives in its WASM heap and is freed by hand: a context, a key and a few scratch objects, all
 * deleted in `Symbol.dispose`. Serialised forms (measured on node-seal 7.0.0, ComprModeType.none, little-endian):
 *
 *     ciphertext   113 bytes of header, then u64 [poly][prime][N], NTT form. Header: 8 u64 total bytes; 16 parms_id (32 bytes);
 *                  48 u8 is_ntt; 49 u64 polys; 57 u64 N; 65 u64 primes; 73 f64 scale; 81 u64 correction factor;
 *                  89 inner array header: 97 u64 its bytes (24 + 8·words), 105 u64 words
 *     secret key   88 bytes of header, then u64 [prime, the special one last][N], NTT form
 *
 * Headers are copied from objects that the same context made, never invented. Bytes from donors do not get here: callers pass
 * residues that `parseResult` has checked.
 */
import createSeal from "node-seal";
import { SECURITY_BITS_128 } from "#lib/lanes/limits.ts";
import { bitLength } from "#lib/lanes/primes.ts";
import { FluxError } from "#lib/protocol/errors.ts";

/** The ring of a plan, with SEAL's own special prime (unused by us: no keys are switched). One data prime needs none. */
export interface CkksRing {
  readonly n: number;
  readonly primes: readonly number[];
  readonly specialPrime: number | undefined;
}

/** One ciphertext's residues, `[prime]` arrays of `[n]` in NTT form. */
export interface CiphertextResidues {
  readonly c0: readonly Int32Array[];
  readonly c1: readonly Int32Array[];
}

const CIPHERTEXT_HEADER_BYTES = 113;
const SECRET_KEY_HEADER_BYTES = 88;
const OFFSET = { total: 8, isNtt: 48, polys: 49, n: 57, primes: 65, scale: 73, arrayBytes: 97, words: 105 } as const;
const ARRAY_HEADER_BYTES = 24;
/** SEAL refuses to decode at a scale above the modulus, which outputs below 1 have. Decoding is linear: any scale does. */
const DECODE_SCALE = 2 ** 10;

type SealModule = Awaited<ReturnType<typeof createSeal>>;
type Made<Name extends keyof SealModule> = SealModule[Name] extends new (...args: never[]) => infer T ? T : never;

let loading: { readonly wasmUrl: string | undefined; readonly module: Promise<SealModule> } | undefined;

/** Loads the WASM module once per thread. In a browser pass where `seal_throws.wasm` is served. */
export function loadSeal(wasmUrl?: string): Promise<SealModule> {
  if (loading === undefined || loading.wasmUrl !== wasmUrl) {
    loading = { wasmUrl, module: createSeal(wasmUrl === undefined ? {} : { locateFile: () => wasmUrl }) };
  }
  return loading.module;
}

/** A job's secret key with what it takes to encrypt and decrypt. Dispose it. */
export class SealKey implements Disposable {
  readonly ring: CkksRing;
  readonly slots: number;
  private readonly seal: SealModule;
  private readonly handles: Disposable[] = [];
  private readonly context: Made<"SEALContext">;
  private readonly encoder: Made<"CKKSEncoder">;
  private readonly encryptor: Made<"Encryptor">;
  private readonly decryptor: Made<"Decryptor">;
  private readonly secret: Made<"SecretKey">;
  private readonly plain: Made<"Plaintext">;
  private readonly cipher: Made<"Ciphertext">;
  private readonly header: Uint8Array;

  /** A new key, or the one whose exported bytes are given. Throws FluxError("plan_impossible") for a ring under 128-bit security. */
  static async create(ring: CkksRing, options: { secret?: Uint8Array; wasmUrl?: string } = {}): Promise<SealKey> {
    return new SealKey(await loadSeal(options.wasmUrl), ring, options.secret);
  }

  private constructor(seal: SealModule, ring: CkksRing, secretBytes: Uint8Array | undefined) {
    this.seal = seal;
    this.ring = ring;
    this.slots = ring.n / 2;
    try {
      this.context = this.makeContext();
      this.secret = this.own(new seal.SecretKey());
      using generator =
        secretBytes === undefined
          ? new seal.KeyGenerator(this.context)
          : new seal.KeyGenerator(this.context, this.importSecret(secretBytes));
      if (secretBytes === undefined) {
        using fresh = generator.secretKey();
        this.secret.assign(fresh);
      }
      this.encoder = this.own(new seal.CKKSEncoder(this.context));
      // The library has no encryptor without a public key; it is never used.
      using unused = generator.createPublicKey();
      this.encryptor = this.own(new seal.Encryptor(this.context, unused, this.secret));
      this.decryptor = this.own(new seal.Decryptor(this.context, this.secret));
      this.plain = this.own(new seal.Plaintext());
      this.cipher = this.own(new seal.Ciphertext());
      this.header = this.makeHeader();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The key's bytes: give them to nobody who must not read the data. */
  exportSecret(): Uint8Array {
    return this.bytesOf(this.secret);
  }

  /** The secret polynomial in NTT form, one `[n]` array per data prime. */
  secretResidues(): Int32Array[] {
    const words = lowWords(this.bytesOf(this.secret), SECRET_KEY_HEADER_BYTES);
    return this.ring.primes.map((_, p) => words.slice(p * this.ring.n, (p + 1) * this.ring.n));
  }

  /** Encrypts one value per slot at `scale`, symmetrically. */
  encrypt(values: Float64Array, scale: number): CiphertextResidues {
    const { n, primes } = this.ring;
    if (values.length !== this.slots) throw new RangeError(`${values.length} values for ${this.slots} slots`);
    this.encoder.encode(values, scale, this.plain);
    this.encryptor.encryptSymmetric(this.plain, this.cipher);
    const words = lowWords(this.bytesOf(this.cipher), CIPHERTEXT_HEADER_BYTES);
    const part = (poly: number) => primes.map((_, p) => words.subarray((poly * primes.length + p) * n).subarray(0, n));
    return { c0: part(0), c1: part(1) };
  }

  /** Decrypts a ciphertext given as residues `[poly][prime][n]`, every one below its prime; returns one value per slot. */
  decrypt(residues: Int32Array, polys: number, scale: number): Float64Array {
    const { n, primes } = this.ring;
    const words = polys * primes.length * n;
    if (residues.length !== words) throw new RangeError(`${residues.length} residues for ${words}`);
    const bytes = new Uint8Array(CIPHERTEXT_HEADER_BYTES + 8 * words);
    bytes.set(this.header);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(OFFSET.total, BigInt(bytes.length), true);
    view.setBigUint64(OFFSET.polys, BigInt(polys), true);
    view.setFloat64(OFFSET.scale, DECODE_SCALE, true);
    view.setBigUint64(OFFSET.arrayBytes, BigInt(ARRAY_HEADER_BYTES + 8 * words), true);
    view.setBigUint64(OFFSET.words, BigInt(words), true);
    for (let i = 0; i < words; i++) view.setInt32(CIPHERTEXT_HEADER_BYTES + 8 * i, residues[i]!, true);
    this.cipher.loadFromArray(this.context, bytes);
    this.decryptor.decrypt(this.cipher, this.plain);
    const slots: unknown = this.encoder.decodeFloat64(this.plain);
    if (!(slots instanceof Float64Array)) throw new Error("node-seal decoded to something else than a Float64Array");
    const factor = DECODE_SCALE / scale;
    return slots.map((slot) => slot * factor);
  }

  [Symbol.dispose](): void {
    for (const handle of this.handles.splice(0).reverse()) handle[Symbol.dispose]();
  }

  private own<T extends Disposable>(handle: T): T {
    this.handles.push(handle);
    return handle;
  }

  private makeContext(): Made<"SEALContext"> {
    const { seal, ring } = this;
    const chain = ring.specialPrime === undefined ? ring.primes : [...ring.primes, ring.specialPrime];
    const bits = chain.reduce((sum, q) => sum + bitLength(q), 0);
    const allowed = SECURITY_BITS_128[ring.n];
    if (allowed === undefined || bits > allowed) {
      throw new FluxError(
        "plan_impossible",
        `A ring of degree ${ring.n} carries at most ${allowed ?? 0} bits at 128-bit security, not ${bits}. Plan the job again.`,
      );
    }
    using parameters = new seal.EncryptionParameters(seal.SchemeType.ckks);
    using moduli = new seal.VectorModulus();
    for (const q of chain) {
      using modulus = new seal.Modulus(BigInt(q));
      moduli.push_back(modulus);
    }
    parameters.setPolyModulusDegree(ring.n);
    parameters.setCoeffModulus(moduli);
    // Without the chain of smaller moduli: nothing is ever rescaled, and each level costs its tables (0.36 s against 0.2 s for all).
    const context = this.own(new seal.SEALContext(parameters, false, seal.SecLevelType.tc128));
    if (!context.parametersSet()) {
      throw new FluxError(
        "plan_impossible",
        `SEAL refuses the ring ${ring.n} with primes ${chain.join(", ")}. Plan again.`,
      );
    }
    return context;
  }

  private importSecret(bytes: Uint8Array): Made<"SecretKey"> {
    const { n, primes, specialPrime } = this.ring;
    const chain = specialPrime === undefined ? primes : [...primes, specialPrime];
    const damaged = () => new FluxError("key_lost", "The stored secret key is damaged or is for another plan.");
    if (bytes.length !== SECRET_KEY_HEADER_BYTES + 8 * chain.length * n) throw damaged();
    try {
      this.secret.loadFromArray(this.context, bytes);
    } catch {
      throw damaged();
    }
    return this.secret;
  }

  /** The header of a fresh ciphertext of this context, checked to be laid out as this file believes. */
  private makeHeader(): Uint8Array {
    const { n, primes } = this.ring;
    this.encoder.encode(new Float64Array(this.slots), 2 ** 10, this.plain);
    this.encryptor.encryptSymmetric(this.plain, this.cipher);
    const bytes = this.bytesOf(this.cipher);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const words = 2 * primes.length * n;
    const asBelieved =
      bytes.length === CIPHERTEXT_HEADER_BYTES + 8 * words &&
      view.getBigUint64(OFFSET.total, true) === BigInt(bytes.length) &&
      view.getUint8(OFFSET.isNtt) === 1 &&
      view.getBigUint64(OFFSET.polys, true) === 2n &&
      view.getBigUint64(OFFSET.n, true) === BigInt(n) &&
      view.getBigUint64(OFFSET.primes, true) === BigInt(primes.length) &&
      view.getFloat64(OFFSET.scale, true) === 2 ** 10 &&
      view.getBigUint64(OFFSET.words, true) === BigInt(words);
    if (!asBelieved)
      throw new Error("node-seal serialises ciphertexts in another layout than this version of Flux knows");
    return bytes.slice(0, CIPHERTEXT_HEADER_BYTES);
  }

  private bytesOf(object: Made<"Ciphertext"> | Made<"SecretKey">): Uint8Array {
    const bytes: unknown = object.saveToArray(this.seal.ComprModeType.none);
    if (!(bytes instanceof Uint8Array)) throw new Error("node-seal serialised to something else than a Uint8Array");
    return bytes;
  }
}

/** The low halves of the little-endian u64 words after a header (every residue is below 2^31). */
function lowWords(bytes: Uint8Array, headerBytes: number): Int32Array {
  const pairs = new Int32Array(bytes.slice(headerBytes).buffer);
  const words = new Int32Array(pairs.length / 2);
  for (let i = 0; i < words.length; i++) words[i] = pairs[2 * i]!;
  return words;
}
