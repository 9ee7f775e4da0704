/** Which runtime donors get for a public job. */
import { describe, expect, test } from "vitest";
import { candidates, chooseRun, type ModelRun } from "#lib/coordinator/jobs/runtimes.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { Digest } from "#lib/protocol/ids.ts";
import { sampleModel } from "#tests/contract/samples.ts";

const digest = (digit: string) => Digest.parse(digit.repeat(64));
const ONNX: ModelRun = { runtime: "onnxruntime", digest: digest("a") };
const TFJS: ModelRun = { runtime: "tfjs", digest: digest("b"), format: "layers" };
const probe = (msPerRecord: number, ...values: number[]) => ({ msPerRecord, firstRecord: [values] });

describe("chooseRun", () => {
  const cases = [
    {
      name: "onnxruntime where it is clearly faster",
      onnx: probe(1, 5),
      tfjs: probe(3, 5),
      wanted: "onnxruntime",
      why: /3\.0 times/,
    },
    {
      name: "the model's own where it is nearly as fast",
      onnx: probe(1, 5),
      tfjs: probe(1.05, 5),
      wanted: "tfjs",
      why: /own/,
    },
    {
      name: "the model's own where the answers differ",
      onnx: probe(1, 5),
      tfjs: probe(9, 6),
      wanted: "tfjs",
      why: /differs/,
    },
    {
      name: "onnxruntime where rounding differs",
      onnx: probe(1, 5.0001),
      tfjs: probe(9, 5),
      wanted: "onnxruntime",
      why: /9\.0/,
    },
    {
      name: "NaN is the same as NaN",
      onnx: probe(1, Number.NaN),
      tfjs: probe(9, Number.NaN),
      wanted: "onnxruntime",
      why: /9/,
    },
  ];
  test.each(cases)("$name", ({ onnx, tfjs, wanted, why }) => {
    const found = chooseRun(
      [
        { run: ONNX, probe: onnx },
        { run: TFJS, probe: tfjs },
      ],
      "auto",
    );
    expect(found.chosen.run.runtime).toBe(wanted);
    expect(found.why).toMatch(why);
  });

  test("what the job names, whatever is faster", () => {
    const tried = [{ run: TFJS, probe: probe(100, 1) }];
    expect(chooseRun(tried, "tfjs")).toEqual({ chosen: tried[0], why: "the job names it" });
  });
});

describe("candidates", () => {
  const { sha256 } = sampleModel();
  const tfjs = { digest: digest("b"), format: "graph" as const };
  const withTfjs = { ...sampleModel(), details: { ...sampleModel().details, tfjs } };
  const onlyTfjs = { ...withTfjs, sha256: tfjs.digest };

  test("an ONNX file has one, a TensorFlow.js model two, one of unknown layers its own", () => {
    expect(candidates({ ...sampleModel(), sha256 }, "auto")).toEqual([{ runtime: "onnxruntime", digest: sha256 }]);
    expect(candidates(withTfjs, "auto").map(({ runtime }) => runtime)).toEqual(["onnxruntime", "tfjs"]);
    expect(candidates(onlyTfjs, "auto")).toEqual([{ runtime: "tfjs", ...tfjs }]);
    expect(candidates(withTfjs, "tfjs")).toEqual([{ runtime: "tfjs", ...tfjs }]);
  });

  test.each([
    { model: sampleModel(), wanted: "tfjs" as const, says: /no TensorFlow\.js model/ },
    { model: onlyTfjs, wanted: "onnxruntime" as const, says: /only TensorFlow\.js knows/ },
  ])("$wanted is refused where there is none", ({ model, wanted, says }) => {
    let error: unknown;
    try {
      candidates(model, wanted);
    } catch (thrown) {
      error = thrown;
    }
    if (!isFluxError(error)) throw new Error("was accepted");
    expect(error).toMatchObject({ code: "invalid_request", detail: expect.stringMatching(says) });
  });
});
