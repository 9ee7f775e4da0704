/** A binary min-heap of things to do, by virtual time; equal times in the order they were scheduled. */
export class EventQueue<T> {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #events: T[] = [];
  #scheduled = 0;

  get size(): number {
    return this.#events.length;
  }

  push(atMs: number, event: T): void {
    this.#times.push(0);
    this.#orders.push(0);
    this.#events.push(event);
    this.#up(this.#events.length - 1, atMs, this.#scheduled++, event);
  }

  pop(): { atMs: number; event: T } | null {
    const count = this.#events.length;
    if (count === 0) return null;
    const top = { atMs: this.#times[0] as number, event: this.#events[0] as T };
    const atMs = this.#times.pop() as number;
    const order = this.#orders.pop() as number;
    const event = this.#events.pop() as T;
    if (count > 1) this.#down(atMs, order, event);
    return top;
  }

  #up(start: number, atMs: number, order: number, event: T): void {
    let i = start;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(atMs, order, parent)) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#set(i, atMs, order, event);
  }

  #down(atMs: number, order: number, event: T): void {
    const count = this.#events.length;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= count) break;
      const right = child + 1;
      if (right < count && this.#before(this.#times[right] as number, this.#orders[right] as number, child))
        child = right;
      if (this.#before(atMs, order, child)) break;
      this.#move(child, i);
      i = child;
    }
    this.#set(i, atMs, order, event);
  }

  #before(atMs: number, order: number, i: number): boolean {
    const other = this.#times[i] as number;
    return atMs < other || (atMs === other && order < (this.#orders[i] as number));
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#orders[to] = this.#orders[from] as number;
    this.#events[to] = this.#events[from] as T;
  }

  #set(i: number, atMs: number, order: number, event: T): void {
    this.#times[i] = atMs;
    this.#orders[i] = order;
    this.#events[i] = event;
  }
}
