/**
 * The last plans by what they were made from. Compiling and rehearsing a model takes seconds to minutes, and a job is mostly
 * planned twice in a row: as a dry run for the person who decides, then as itself.
 */

/** A plan holds its lane programs: some megabytes for the largest models. */
const KEPT = 8;

export class RecentPlans<Plan> {
  readonly #plans = new Map<string, Promise<Plan>>();

  /**
   * @param key everything that the plan depends on
   * @returns the kept plan, the one that is being made for somebody else, or what `make` makes; failures are not kept
   */
  get(key: string, make: () => Promise<Plan>): Promise<Plan> {
    const known = this.#plans.get(key);
    if (known) {
      this.#plans.delete(key);
      this.#plans.set(key, known);
      return known;
    }
    const made = make();
    this.#plans.set(key, made);
    made.catch(() => this.#plans.get(key) === made && this.#plans.delete(key));
    for (const oldest of this.#plans.keys()) {
      if (this.#plans.size <= KEPT) break;
      this.#plans.delete(oldest);
    }
    return made;
  }
}
