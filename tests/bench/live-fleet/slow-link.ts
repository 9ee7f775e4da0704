/**
 * A slow line to a server: a TCP proxy that lets so many bytes a second through in each direction (a token bucket of a
 * twentieth of a second) and adds a delay. DevTools' network emulation leaves WebSockets alone; this slows whatever comes.
 */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

export interface LinkSpeed {
  readonly downBytesPerSecond: number;
  readonly upBytesPerSecond: number;
  /** Each way. */
  readonly delayMs: number;
}

/** All connections share the line, as they do at home. */
class Line {
  readonly #bytesPerMs: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Resolves when these bytes are through. */
  async pass(bytes: number): Promise<void> {
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + bytes / this.#bytesPerMs;
    const waitMs = this.#freeAtMs - nowMs;
    if (waitMs >= 1) await sleep(waitMs);
  }
}

/** Small pieces, so that the connections take turns. */
const PIECE_BYTES = 4 * 1024;
/** What the delay may hold: more than the line carries in that time. */
const HELD_BYTES = 64 * 1024;

/** @returns the port that stands for `port` at the end of the slow line */
export async function openSlowLink(port: number, speed: LinkSpeed): Promise<{ port: number; close: () => void }> {
  const down = new Line(speed.downBytesPerSecond);
  const up = new Line(speed.upBytesPerSecond);
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
      socket.on("error", () => {});
    }
    near.pipe(slowed(up, speed.delayMs)).pipe(far);
    far.pipe(slowed(down, speed.delayMs)).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function slowed(line: Line, delayMs: number): Transform {
  let lastDelivery: Promise<void> = Promise.resolve();
  const stream: Transform = new Transform({
    highWaterMark: HELD_BYTES,
    async transform(chunk: Buffer, _encoding, done) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        await line.pass(piece.length);
        // The delay is on the way: the next piece enters the line meanwhile.
        const delivered = sleep(delayMs);
        lastDelivery = Promise.all([lastDelivery, delivered]).then(() => {
          if (!stream.destroyed) stream.push(piece);
        });
      }
      done();
    },
    flush(done) {
      void lastDelivery.then(() => done());
    },
  });
  return stream;
}
