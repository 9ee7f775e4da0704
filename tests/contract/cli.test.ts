/** The command line, as people call it: a child process against a real coordinator. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearAnswer, linearModel } from "#tests/support/linear-model.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";

const FLUX = join(import.meta.dirname, "../../lib/client/cli/flux.js");
const INPUTS = 4;
const WEIGHTS = Float32Array.from({ length: INPUTS * 2 }, (_, i) => i / 8 - 0.5);
const RECORDS = 500;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe("npx flux", () => {
  let coordinator: TestCoordinator;
  let folder: string;
  const file = (name: string) => join(folder, name);

  async function flux(args: readonly string[], environment: Record<string, string> = {}): Promise<Ran> {
    const env = {
      NODE_ENV: "test" as const,
      PATH: process.env.PATH ?? "",
      XDG_CONFIG_HOME: file("config"),
      ...environment,
    };
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [FLUX, ...args], { env, cwd: folder });
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      if (!(error instanceof Error) || !("stdout" in error) || !("stderr" in error)) throw error;
      return {
        code: "code" in error ? Number(error.code) : -1,
        out: String(error.stdout),
        err: String(error.stderr),
      };
    }
  }

  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    folder = await mkdtemp(join(tmpdir(), "flux-cli-"));
    await writeFile(file("linear.onnx"), linearModel(WEIGHTS, INPUTS));
    await writeFile(file("records.csv"), csvRecords(RECORDS, INPUTS));
  });
  afterAll(async () => {
    await coordinator.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("says how to sign in when no key is known", async () => {
    const { code, err } = await flux(["jobs", "--url", coordinator.url]);
    expect(code).toBe(1);
    expect(err).toMatch(/flux login.*FLUX_KEY/);
  });

  it("names a file that is not there before anything else, in both custodies", async () => {
    for (const custody of ["submitter", "coordinator"]) {
      const { code, err } = await flux(["submit", "linear.onnx", "nowhere.csv", "--custody", custody]);
      expect(code).toBe(1);
      expect(err).toBe("flux: There is no file nowhere.csv: check the path.\n");
    }
  });

  it.each([
    { args: ["donate", "--headless", "1", "--group", "a friend's"], says: "?group=join_" },
    { args: ["submit", "linear.onnx", "records.csv", "--group", "lab"], says: "grp_" },
    { args: ["submit", "linear.onnx", "records.csv", "--regions", "Germany"], says: "country codes like DE" },
  ])("says what is wanted in place of $args", async ({ args, says }) => {
    const { code, err } = await flux(args);
    expect(code).not.toBe(0);
    expect(err).toContain(says);
  });

  it("keeps a key that works, readable by its owner only, and never sends it elsewhere", async () => {
    const signedIn = await flux(["login", "--url", coordinator.url, "--key", coordinator.key]);
    expect(signedIn).toMatchObject({ code: 0, err: expect.stringContaining("Signed in") });
    expect((await stat(file("config/flux/login.json"))).mode & 0o777).toBe(0o600);
    const elsewhere = await flux(["jobs", "--url", "http://localhost:1"]);
    expect(elsewhere).toMatchObject({ code: 1, err: expect.stringContaining("No API key for http://localhost:1") });
  });

  it("submits, watches and writes results in dataset order", async () => {
    const donor = await startNodeDonor({ url: coordinator.url });
    const { code, err } = await flux([
      "submit",
      "linear.onnx",
      "records.csv",
      "--privacy",
      "public",
      "--url",
      coordinator.url,
      "-o",
      "answers.csv",
    ]);
    await donor.stop();
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining("Results: answers.csv") });
    const [header, ...rows] = (await readFile(file("answers.csv"), "utf8")).trimEnd().split("\r\n");
    expect(header).toBe("record,y_0,y_1");
    expect(rows).toHaveLength(RECORDS);
    for (const [record, row] of rows.entries()) {
      const [name, ...values] = row.split(",").map(Number);
      expect(name).toBe(record);
      const expected = linearAnswer(WEIGHTS, INPUTS, record);
      expect(values).toHaveLength(expected.length);
      expected.forEach((value, i) => {
        expect(values[i]).toBeCloseTo(value, 5);
      });
    }
  });

  it("lists, shows and downloads what was submitted, for programs too", async () => {
    const listed = await flux(["jobs", "--json", "--url", coordinator.url]);
    const [job] = JSON.parse(listed.out);
    expect(job).toMatchObject({ status: "completed", counts: { records: RECORDS } });
    expect((await flux(["job", job.id, "--url", coordinator.url])).out).toMatch(/completed/);
    const lines = (await flux(["results", job.id, "-f", "jsonl", "--url", coordinator.url])).out.trimEnd().split("\n");
    expect(lines).toHaveLength(RECORDS);
    const cancelled = await flux(["cancel", job.id, "--url", coordinator.url]);
    expect(cancelled).toMatchObject({ code: 1, err: expect.stringMatching(/completed already/) });
  });

  it.each([
    {
      name: "a file that is not there",
      args: ["submit", "nothing.onnx", "records.csv"],
      says: /no file nothing\.onnx/,
    },
    { name: "a model that is none", args: ["submit", "records.csv", "records.csv"], says: /ONNX/ },
    {
      name: "windows that are longer than a record, where the key stays here",
      args: ["submit", "linear.onnx", "records.csv", "--window", "9"],
      says: /segments of 9 along an axis of 4: use at most 4/,
    },
    { name: "a job's id that is none", args: ["job", "42"], says: /job_…/ },
  ])("$name is one line that says what to do", async ({ args, says }) => {
    const { code, err } = await flux([...args, "--url", coordinator.url]);
    expect(code).toBe(1);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n\s+at /);
  });
});
