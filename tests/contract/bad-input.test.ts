/**
 * What strangers send: each is answered 4xx with a problem that names the fix, within two seconds of the upload, and the
 * server stays up.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TensorProto, TensorProto_DataLocation } from "#lib/model/onnx/generated/onnx_pb.ts";
import { Problem } from "#lib/protocol/api/common.ts";
import type { ErrorCode } from "#lib/protocol/errors.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { cpuMs } from "#tests/support/cpu-time.ts";
import { modelWithWeights } from "#tests/support/linear-model.ts";

/**
 * What an answer may take. Counted is the CPU time of this process with all its threads: on a quiet machine the clock shows no
 * more, and neighbours that use the cores cannot make it longer. That nothing just waits is held by the second bound.
 */
const ANSWER_CPU_MS = 2_000;
const ANSWER_WALL_MS = 10_000;

const onnx = (initializer: Partial<TensorProto>) => modelWithWeights(initializer, 2, 2);
const bytes = (data: Uint8Array) => new Uint8Array(data);
const text = (data: string) => new TextEncoder().encode(data);
const FLOATS = (count: number) => new Uint8Array(new Float32Array(count).fill(0.5).buffer);
const GOOD_MODEL = onnx({ name: "w", dims: [2n, 2n], dataType: 1, rawData: FLOATS(4) });

/** NPY 1.0 of Python objects: the header that numpy writes for them, then a pickle. */
function pickledNpy(): Uint8Array<ArrayBuffer> {
  const header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".padEnd(117).concat("\n");
  return bytes(
    Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]), text(header), text("\x80\x04N.")]),
  );
}

interface Case {
  readonly name: string;
  readonly kind: "model" | "dataset";
  readonly file: Uint8Array<ArrayBuffer>;
  readonly filename: string;
  readonly code: ErrorCode;
  /** The fix, in words. */
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: "text in place of a model",
    kind: "model",
    file: text("this is not a model"),
    filename: "m.onnx",
    code: "model_unreadable",
    says: /\.onnx|ONNX/,
  },
  {
    name: "a PyTorch checkpoint",
    kind: "model",
    file: bytes(Buffer.from("PK\x03\x04rest of a zip")),
    filename: "model.pt",
    code: "model_unreadable",
    says: /torch\.onnx\.export/,
  },
  {
    name: "half of an ONNX file",
    kind: "model",
    file: GOOD_MODEL.slice(0, GOOD_MODEL.length - 20),
    filename: "m.onnx",
    code: "model_unreadable",
    says: /[Uu]pload/,
  },
  {
    name: "weights in another file",
    kind: "model",
    file: onnx({
      name: "w",
      dims: [2n, 2n],
      dataType: 1,
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [{ key: "location", value: "../../etc/passwd", $typeName: "onnx.StringStringEntryProto" }],
    }),
    filename: "m.onnx",
    code: "model_external_data",
    says: /one file/,
  },
  {
    name: "a tensor of 2 GB that is not there",
    kind: "model",
    file: onnx({ name: "w", dims: [536_870_912n, 1n], dataType: 1, rawData: FLOATS(1) }),
    filename: "m.onnx",
    code: "model_too_large",
    says: /"w"/,
  },
  {
    name: "a CSV with a ragged row",
    kind: "dataset",
    file: text("a,b\n1,2\n3,4\n5,6,7\n"),
    filename: "d.csv",
    code: "dataset_ragged",
    says: /(row|line) \d/i,
  },
  {
    name: "a NPY file of pickled objects",
    kind: "dataset",
    file: pickledNpy(),
    filename: "d.npy",
    code: "dataset_unsafe",
    says: /pickle|object/i,
  },
  {
    name: "a CSV with text where a number is wanted",
    kind: "dataset",
    file: text("a,b\n1,2\n3,four\n"),
    filename: "d.csv",
    code: "dataset_value",
    says: /"b"/,
  },
];

describe("bad input", () => {
  let coordinator: TestCoordinator;
  beforeAll(async () => {
    coordinator = await startTestCoordinator();
  });
  afterAll(() => coordinator.close());

  const post = (path: string, body: unknown) =>
    coordinator.call(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });

  async function problem(response: Response): Promise<Problem> {
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    return Problem.parse(await response.json());
  }

  it.each(CASES)("$name is refused as $code", async ({ kind, file, filename, code, says }) => {
    const uploaded = await coordinator.client.uploadFile(new Blob([file]), filename, kind);
    const response = await inTime(() => post(`/${kind}s`, { file_id: uploaded.id }));
    expect(await problem(response)).toMatchObject({ code, status: 422, detail: expect.stringMatching(says) });
    expect((await fetch(`${coordinator.url}/readyz`)).status).toBe(200);
  });

  it("a dataset with the wrong number of columns for the model is refused before any work", async () => {
    const { client } = coordinator;
    const modelFile = await client.uploadFile(new Blob([GOOD_MODEL]), "m.onnx", "model");
    const model = await client.createModel({ file_id: modelFile.id });
    const dataFile = await client.uploadFile(new Blob([text("a,b,c\n1,2,3\n4,5,6\n")]), "d.csv", "dataset");
    const dataset = await client.createDataset({ file_id: dataFile.id });
    const response = await inTime(() => post("/jobs", { model: model.id, dataset: dataset.id, privacy: "public" }));
    expect(await problem(response)).toMatchObject({
      status: 422,
      code: "dataset_mismatch",
      detail: expect.stringMatching(/1 column out.*"columns"/),
    });
    expect((await client.listJobs()).data).toEqual([]);
  });

  interface RequestCase {
    readonly name: string;
    readonly path: string;
    readonly init: RequestInit;
    readonly status: number;
    readonly code: ErrorCode;
    readonly says: RegExp;
  }
  const json = { "Content-Type": "application/json" };
  const REQUESTS: readonly RequestCase[] = [
    {
      name: "broken JSON",
      path: "/jobs",
      init: { method: "POST", headers: json, body: "{" },
      status: 400,
      code: "invalid_request",
      says: /not valid JSON/,
    },
    {
      name: "JSON that reaches for the prototype",
      path: "/jobs",
      init: { method: "POST", headers: json, body: '{"__proto__": {"admin": true}}' },
      status: 400,
      code: "invalid_request",
      says: /__proto__/,
    },
    {
      name: "JSON nested a thousand deep",
      path: "/jobs",
      init: { method: "POST", headers: json, body: "[".repeat(1000) + "]".repeat(1000) },
      status: 400,
      code: "invalid_request",
      says: /nested deeper/,
    },
    {
      name: "a JSON body of two megabytes",
      path: "/jobs",
      init: { method: "POST", headers: json, body: JSON.stringify("x".repeat(2 ** 21)) },
      status: 413,
      code: "payload_too_large",
      says: /bytes/,
    },
    {
      name: "a form where JSON is wanted",
      path: "/models",
      init: { method: "POST", body: new URLSearchParams({ file_id: "x" }) },
      status: 415,
      code: "unsupported_media_type",
      says: /application\/json/,
    },
    {
      name: "an upload that says no purpose",
      path: "/files",
      init: { method: "POST", body: form({ file: new Blob(["x"]) }) },
      status: 400,
      code: "invalid_request",
      says: /"purpose"/,
    },
    {
      name: "an upload without a file",
      path: "/files",
      init: { method: "POST", body: form({ purpose: "model" }) },
      status: 400,
      code: "invalid_request",
      says: /field "file"/,
    },
    {
      name: "an empty file",
      path: "/files",
      init: { method: "POST", body: form({ purpose: "model", file: new Blob([]) }) },
      status: 400,
      code: "invalid_request",
      says: /empty/,
    },
    {
      name: "a multipart body that breaks off",
      path: "/files",
      init: {
        method: "POST",
        headers: { "Content-Type": "multipart/form-data; boundary=b" },
        body: '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc',
      },
      status: 400,
      code: "invalid_request",
      says: /malformed|broke off/,
    },
    {
      name: "a job without a model",
      path: "/jobs",
      init: { method: "POST", headers: json, body: JSON.stringify({ dataset: "dst_00000000000000000000" }) },
      status: 400,
      code: "invalid_request",
      says: /model or models/,
    },
    {
      name: "a job on things that are not there",
      path: "/jobs",
      init: {
        method: "POST",
        headers: json,
        body: JSON.stringify({ model: "mdl_00000000000000000000", dataset: "dst_00000000000000000000" }),
      },
      status: 404,
      code: "not_found",
      says: /mdl_0/,
    },
    {
      name: "an id of another kind",
      path: "/jobs/mdl_00000000000000000000",
      init: {},
      status: 404,
      code: "not_found",
      says: /no/,
    },
    {
      name: "an address that is not there",
      path: "/nothing",
      init: {},
      status: 404,
      code: "not_found",
      says: /\/docs/,
    },
    {
      name: "a method that is not offered",
      path: "/jobs",
      init: { method: "PUT" },
      status: 405,
      code: "method_not_allowed",
      says: /GET/,
    },
    {
      name: "a page of a million",
      path: "/jobs?limit=1000000",
      init: {},
      status: 400,
      code: "invalid_request",
      says: /limit/,
    },
    {
      name: "a key that is not one",
      path: "/jobs",
      init: { headers: { Authorization: "Bearer flux_sk_AAAAAAAAAAAAAAAAAAAAAAAAAAA" } },
      status: 401,
      code: "unauthenticated",
      says: /key/,
    },
  ];

  it.each(REQUESTS)("$name: $status $code", async ({ path, init, status, code, says }) => {
    const response = await inTime(() => coordinator.call(path, init));
    expect(response.status).toBe(status);
    expect(await problem(response)).toMatchObject({ status, code, detail: expect.stringMatching(says) });
  });
});

async function inTime(answer: () => Promise<Response>): Promise<Response> {
  const [startMs, before] = [performance.now(), cpuMs()];
  const response = await answer();
  expect(cpuMs() - before).toBeLessThan(ANSWER_CPU_MS);
  expect(performance.now() - startMs).toBeLessThan(ANSWER_WALL_MS);
  return response;
}

function form(fields: Record<string, string | Blob>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}
