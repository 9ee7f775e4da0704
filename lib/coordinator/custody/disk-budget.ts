/** Bytes of ciphertexts that all jobs together may keep on disk. What is reserved is what a batch may come to occupy. */
export class DiskBudget {
  readonly #bytes: number;
  readonly #reserved = new Map<string, number>();
  #used = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** A first reservation is always granted: a batch larger than the budget would otherwise wait for ever. */
  has(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#bytes;
  }

  /** Sets what `name` holds, in place of what it held. */
  reserve(name: string, bytes: number): void {
    this.#used += bytes - (this.#reserved.get(name) ?? 0);
    if (bytes > 0) this.#reserved.set(name, bytes);
    else this.#reserved.delete(name);
  }

  /** Frees everything under a prefix. */
  release(prefix: string): void {
    for (const name of [...this.#reserved.keys()]) if (name.startsWith(prefix)) this.reserve(name, 0);
  }
}
