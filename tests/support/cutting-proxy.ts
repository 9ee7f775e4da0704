/** A TCP proxy that breaks connections after so many bytes from the client, as bad networks do: at once, without a word. */
import { connect, createServer, type Socket } from "node:net";

export interface CuttingProxy {
  readonly url: string;
  /** Connections that were broken. */
  readonly cuts: number;
  /** Bytes that clients sent, those that were lost included. */
  readonly sentBytes: number;
  readonly close: () => Promise<void>;
}

/** @param cutAt counts of bytes sent by clients, all together, at which the connection that sends is broken */
export async function startCuttingProxy(target: URL, cutAt: readonly number[]): Promise<CuttingProxy> {
  const left = [...cutAt].sort((a, b) => a - b);
  const open = new Set<Socket>();
  let cuts = 0;
  let sentBytes = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      socket.on("error", () => {});
    }
    const drop = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (chunk) => {
      sentBytes += chunk.length;
      if (left[0] !== undefined && sentBytes >= left[0]) {
        left.shift();
        cuts += 1;
        drop();
        return;
      }
      if (!upstream.write(chunk)) client.pause();
    });
    upstream.on("drain", () => client.resume());
    upstream.pipe(client);
    client.on("close", drop);
    upstream.on("close", drop);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    get cuts() {
      return cuts;
    },
    get sentBytes() {
      return sentBytes;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
