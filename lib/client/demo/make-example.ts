/**
 * `npm run example`: makes the example that the pages show, by doing it: a synthetic digit is encrypted in a batch of others,
 * its lanes are computed as donors would, one lane is falsified, and a meta-model learns whom to trust. Writes
 * app/components/example/example.json, which is in git so that a build needs no key and no minute.
 */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fromMembers } from "#lib/aggregation/aggregation-set.ts";
import { applyMetaModel } from "#lib/aggregation/meta-model.ts";
import { scoreClassification } from "#lib/aggregation/metrics.ts";
import { normal, seeded } from "#lib/aggregation/random.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior, trainMetaModel } from "#lib/aggregation/train.ts";
import { DIGIT_SIDE, syntheticDigits } from "#lib/dataset/synthetic/digits.ts";
import { ResultAssembler } from "#lib/keyholder/assemble.ts";
import { encryptBatch } from "#lib/keyholder/encrypt-batch.ts";
import { openBatch } from "#lib/keyholder/open-batch.ts";
import { ringOf, wholeRuns } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import {
  blobBytes,
  blobRange,
  encodeResult,
  laneBytes,
  limbCount,
  PAYLOAD_HEADER_BYTES,
  parseResult,
  payloadHeader,
  readResidue,
  unpackLanes,
} from "#lib/lanes/block.ts";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { encryptedFeatures } from "#lib/lanes/plan.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";

const PROJECT = resolve(import.meta.dirname, "../../..");
const OUT = resolve(PROJECT, "app/components/example/example.json");
const SEED = 4_711;
const RECORDS = 2_048;
/** A three, well drawn. */
const SHOWN_DIGIT = 3;
/** Lanes whose bytes are shown: places in the ring of the first prime. */
const SHOWN_LANES = [0, 1, 2, 3, 4, 5, 6, 7];
const PIXELS = DIGIT_SIDE * DIGIT_SIDE;
const CLASSES = 10;

const example = { digit: await encryptedDigit(), trust: learntTrust() };
await writeFile(OUT, `${JSON.stringify(example)}\n`);
console.log(`${OUT}: ${JSON.stringify(example).length} bytes`);

async function encryptedDigit() {
  const graph = importOnnx(await readFile(resolve(PROJECT, "public/demo/digits-square.onnx")));
  const { images, labels } = syntheticDigits(RECORDS, SEED);
  const data = Float64Array.from(images, (pixel) => pixel / 255);
  const records = { rows: RECORDS, features: PIXELS, data };
  const { plan, programs, cost } = await compilePlan([graph], records, {});
  const [compiled] = programs;
  const [member] = plan.members;
  const [prime] = plan.ring.primes;
  const [input] = graph.inputs;
  const [output] = graph.outputs;
  if (!compiled || !member || prime === undefined || !input || !output) throw new Error("one model, one program");
  const { program } = compiled;
  const features = encryptedFeatures(plan);
  using key = await SealKey.create(ringOf(plan));
  const blob = new Uint8Array(blobBytes(plan.ring, features));
  const { seed } = await encryptBatch(
    { ...plan, input: { ...plan.input, outside: "clip" } },
    key,
    records,
    (run, packed) => {
      blob.set(packed, blobRange(plan.ring, features, run).offset);
    },
  );

  const evaluator = await laneSimdRuntime.prepare(program);
  const honest = new ResultAssembler(program);
  const falsified = new ResultAssembler(program);
  const runs = wholeRuns(plan);
  let returned: readonly number[] = [];
  for (const run of runs) {
    const { offset, length } = blobRange(plan.ring, features, run);
    const payload = new Uint8Array(PAYLOAD_HEADER_BYTES + length);
    payload.set(payloadHeader(plan.ring, features, run, seed));
    payload.set(blob.subarray(offset, offset + length), PAYLOAD_HEADER_BYTES);
    const result = await runLanes(program, evaluator, payload);
    honest.add(run, result);
    if (run === runs[0]) {
      const residues = parseResult(result, program, run);
      returned = Array.from(residues.subarray(0, CLASSES));
      // One residue of one lane, off by one: the smallest lie that there is.
      residues[0] = (residues[0]! + 1) % prime;
      falsified.add(run, encodeResult(program, run, residues));
    } else falsified.add(run, result);
  }
  await evaluator.dispose();

  const plain = evaluate(graph, { records: RECORDS, inputs: new Map([[input.name, data]]) }).get(output.name)?.data;
  if (!plain) throw new Error("the model has one output");
  const opened = openBatch(plan, member, key, honest, RECORDS, []);
  const wrong = openBatch(plan, member, key, falsified, RECORDS, []);
  const answers = opened.outputs.get(output.name)?.data;
  if (!answers) throw new Error("the model has one output");
  const record = Array.from(labels).findIndex((label, at) => label === SHOWN_DIGIT && best(row(answers, at)) === label);
  return {
    model: "digits-square.onnx",
    label: SHOWN_DIGIT,
    side: DIGIT_SIDE,
    pixels: base64(images.subarray(record * PIXELS, (record + 1) * PIXELS)),
    batch: { records: plan.ring.n / 2, values: features, lanes: plan.ring.n * plan.ring.primes.length, prime },
    lanes: SHOWN_LANES.map((lane) => shownLane(blob, prime, features, lane, plan.input.index)),
    returned,
    answer: row(answers, record),
    plain: row(plain, record),
    falsified: {
      verdict: wrong.verdict.kind,
      values: row(wrong.values, record),
      slots: wrong.verdict.kind === "noise" ? wrong.verdict.impossibleSlots : 0,
    },
    bytes_per_record_down: cost.bytesDownPerRecord,
  };
}

/** A lane as a donor gets it, arranged like the picture it hides: one residue a pixel, scaled to a byte. */
function shownLane(blob: Uint8Array, q: number, features: number, lane: number, index: readonly number[]) {
  const limbs = limbCount(q);
  const bytes = laneBytes(q, features);
  const planes = new Uint8Array(limbs * features);
  unpackLanes(blob.subarray(lane * bytes, (lane + 1) * bytes), q, features, planes);
  const residues = Array.from({ length: features }, (_, feature) => readResidue(planes, feature, limbs, features));
  const picture = new Uint8Array(PIXELS);
  index.forEach((pixel, feature) => {
    picture[pixel] = Math.floor((256 * residues[feature]!) / q);
  });
  return { picture: base64(picture), residues: residues.slice(0, 4) };
}

/** Five members, one of which is broken in a way that looks sure of itself; the meta-model meets more and more labels. */
function learntTrust() {
  const classes = 5;
  const records = 4_000;
  const members = [
    { name: "Large", skill: 2.6, gain: 1 },
    { name: "Medium", skill: 2, gain: 1 },
    { name: "Small", skill: 1.5, gain: 1 },
    { name: "Old", skill: 1.1, gain: 1 },
    { name: "Broken", skill: 0, gain: 2.5 },
  ];
  const random = seeded(SEED);
  const labels = Float64Array.from({ length: records }, () => Math.floor(random() * classes));
  const outputs = members.map(({ skill, gain }) => {
    const logits = new Float64Array(records * classes);
    for (let i = 0; i < logits.length; i++) {
      const right = labels[Math.floor(i / classes)] === i % classes;
      logits[i] = gain * (normal(random) + (right ? skill : 0));
    }
    return { outputs: logits };
  });
  const set = fromMembers(outputs, records, classes, "logits");
  const held = { from: 1_000, count: records - 1_000 };
  const part = (from: number, count: number) =>
    fromMembers(
      outputs.map(({ outputs: all }) => ({ outputs: all.subarray(from * classes, (from + count) * classes) })),
      count,
      classes,
      "logits",
    );
  const heldSet = part(held.from, held.count);
  const heldLabels = labels.subarray(held.from);
  const accuracy = (log: Float64Array) => scoreClassification(log, classes, heldLabels).accuracy;
  const even = 1 / set.members;
  const steps = [{ labels: 0, weights: members.map(() => even), accuracy: accuracy(reduceSimple(heldSet, "mean")) }];
  for (const count of [16, 32, 64, 128, 256, 512]) {
    const model = trainMetaModel(part(0, count), labels.subarray(0, count), { prior: freshPrior() });
    const { outputs: combined, weights } = applyMetaModel(model, heldSet);
    const totals = members.map(() => 0);
    weights.forEach((weight, segment) => {
      totals[segment % members.length]! += weight / held.count;
    });
    steps.push({ labels: count, weights: totals, accuracy: accuracy(combined) });
  }
  return { members: members.map(({ name }) => name), steps };
}

function row(values: ArrayLike<number>, record: number): number[] {
  return Array.from({ length: CLASSES }, (_, c) => Number(values[record * CLASSES + c]!.toPrecision(6)));
}

function best(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
