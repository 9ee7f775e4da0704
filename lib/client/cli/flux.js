#!/usr/bin/env node
// `npx flux`: runs main.ts on Node 24 or newer. Older ones cannot read TypeScript, so the project's own is taken then.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const NEEDED = 24;
const main = fileURLToPath(new URL("./main.ts", import.meta.url));
const own = fileURLToPath(new URL("../../../node_modules/node/bin/node", import.meta.url));

if (Number(process.versions.node.split(".")[0]) >= NEEDED) {
  await import(main);
} else if (existsSync(own)) {
  const { status, signal } = spawnSync(own, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  if (signal) process.kill(process.pid, signal);
  else process.exit(status ?? 1);
} else {
  console.error(`flux needs Node ${NEEDED} or newer; this is ${process.versions.node}. Run \`npm ci\` first.`);
  process.exit(1);
}
