/**
 * 10,000 hostile frames against the donor socket of a real process: it lives, its memory does not grow, and an honest donor
 * beside the attackers keeps getting work and having results accepted. The same frames kill a handler that trusts its input.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { rightResult } from "../dispatch/harness.ts";
import { connectDonor } from "./donor-server.ts";
import { type Frames, hostileFrames, seeded } from "./hostile-frames.ts";

const FRAMES = 10_000;
const SOCKETS = 16;
const SEED = 20_261_123;

class Target {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly exited: Promise<number | string>;
  url = "";
  dead = false;
  errors = "";

  constructor(mode: "validated" | "unvalidated") {
    this.#child = spawn(
      process.execPath,
      ["--expose-gc", new URL("./fuzz-server.ts", import.meta.url).pathname, mode],
      {
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    this.#child.stderr?.on("data", (text) => {
      this.errors = (this.errors + text).slice(-4_000);
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    this.exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        this.dead = true;
        resolve(code ?? signal ?? "unknown");
      });
    });
  }

  async start(): Promise<void> {
    this.url = z.object({ url: z.string() }).parse(await this.#line()).url;
  }

  async rssBytes(): Promise<number> {
    this.#child.stdin?.write("\n");
    return z.object({ rssBytes: z.number() }).parse(await this.#line()).rssBytes;
  }

  async #line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the server ended: ${this.errors}`);
    return JSON.parse(value);
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

/** An attacker: one WebSocket after another, each until the server closes it. */
class Attacker {
  readonly #url: string;
  #socket: WebSocket | undefined;
  opened = 0;

  constructor(url: string) {
    this.#url = `${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
  }

  async send(frames: Frames): Promise<void> {
    const socket = await this.#open();
    if (!socket) return;
    for (const frame of frames) socket.send(typeof frame === "string" ? frame : frame.slice());
  }

  close(): void {
    this.#socket?.close();
  }

  async #open(): Promise<WebSocket | undefined> {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      // Let the server's answers in between: a closed socket is seen, and frames do not pile up here.
      if (this.#socket.bufferedAmount > 1e6) await new Promise((resolve) => setImmediate(resolve));
      return this.#socket;
    }
    const socket = new WebSocket(this.#url);
    const open = await new Promise<boolean>((resolve) => {
      socket.onmessage = ({ data }) => {
        // Engine.IO's open packet; then the namespace is asked for and granted.
        if (String(data).startsWith("0")) socket.send("40/donors,{}");
        if (String(data).startsWith("40/donors")) resolve(true);
      };
      socket.onerror = () => resolve(false);
      socket.onclose = () => resolve(false);
    });
    if (!open) return undefined;
    socket.onmessage = ({ data }) => {
      if (data === "2") socket.send("3");
    };
    this.#socket = socket;
    this.opened++;
    return socket;
  }
}

async function attack(target: Target, frames: number): Promise<{ sent: number; sockets: number }> {
  const random = seeded(SEED);
  const attackers = Array.from({ length: SOCKETS }, () => new Attacker(target.url));
  let sent = 0;
  const one = async (attacker: Attacker) => {
    while (sent < frames && !target.dead) {
      sent++;
      await attacker.send(hostileFrames(random));
      // A turn of the network: a socket that the server has closed meanwhile is not counted as attacked again.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await Promise.all(attackers.map(one));
  for (const attacker of attackers) attacker.close();
  return { sent, sockets: attackers.reduce((sum, { opened }) => sum + opened, 0) };
}

const targets: Target[] = [];
async function start(mode: "validated" | "unvalidated"): Promise<Target> {
  const target = new Target(mode);
  targets.push(target);
  await target.start();
  return target;
}
afterEach(() => {
  for (const target of targets.splice(0)) target.stop();
});

describe("10,000 hostile frames", () => {
  it("neither kill the gateway nor make it grow, and honest work goes on", async () => {
    const target = await start("validated");
    const honest = connectDonor(target.url);
    await honest.hello();
    let accepted = 0;
    let attacking = true;
    const working = (async () => {
      while (attacking) {
        for (const lease of (await honest.lease(200)).leases) {
          expect(await honest.submit(lease, rightResult(lease))).toBe("accepted");
          accepted++;
        }
      }
    })();
    await attack(target, 1_000);
    const before = await target.rssBytes();
    const acceptedBefore = accepted;
    const { sent, sockets } = await attack(target, FRAMES);
    attacking = false;
    await working;
    const after = await target.rssBytes();
    honest.close();
    expect(target.dead).toBe(false);
    expect(sent).toBe(FRAMES);
    expect(sockets).toBeGreaterThan(SOCKETS);
    expect(accepted).toBeGreaterThan(acceptedBefore);
    expect((after - before) / 2 ** 20).toBeLessThan(100);
    expect(target.errors).toBe("");
    console.log(
      `fuzz: ${sent} frames over ${sockets} sockets, memory ${((after - before) / 2 ** 20).toFixed(1)} MiB, ${accepted} honest results`,
    );
  });

  it("kill a handler that trusts its input", async () => {
    const target = await start("unvalidated");
    const { sent } = await attack(target, FRAMES);
    expect(await target.exited).not.toBe(0);
    expect(target.errors).toContain("TypeError");
    expect(sent).toBeLessThan(FRAMES);
    console.log(`fuzz: the unvalidated handler died after ${sent} frames`);
  });
});
