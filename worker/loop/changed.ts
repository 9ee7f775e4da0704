/** A bell: whoever waits for a condition looks again whenever something changed. Keeps the loop free of polling. */
export class Changed {
  private waiting: (() => void)[] = [];

  ring(): void {
    const woken = this.waiting;
    this.waiting = [];
    for (const wake of woken) wake();
  }

  /** Settles once `condition` holds; it is asked now and after every ring. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}
