/** The key-holder's thread under Node: records are normalised into a private folder that goes with the thread's owner. */
import { openAsBlob } from "node:fs";
import { MessagePort, workerData } from "node:worker_threads";
import { z } from "zod";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { sectionFiles } from "#lib/dataset/node/files.ts";
import { serveEngine } from "../engine.ts";
import { wireOf } from "./wire.ts";

const { port, folder } = z.object({ port: z.instanceof(MessagePort), folder: z.string() }).parse(workerData);

serveEngine(wireOf(port), {
  decoders: nodeDecoders,
  makeSections: () => sectionFiles(folder),
  openPath: (path) => openAsBlob(path),
});
