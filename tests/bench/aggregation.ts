/**
 * `npm run bench:aggregation`: the learned reducer against the simple ones on four tasks, trained with 200 labels and
 * judged on at least 2,000 held-out records; then with 32 labels and a meta-learned start, over 20 draws.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { chooseReducer } from "#lib/aggregation/choose-reducer.ts";
import { metaLearn } from "#lib/aggregation/meta-learn.ts";
import { applyMetaModel } from "#lib/aggregation/meta-model.ts";
import { meanOf, scoreClassification, standardError } from "#lib/aggregation/metrics.ts";
import { seeded, shuffled } from "#lib/aggregation/random.ts";
import { gatherRows } from "#lib/aggregation/rows.ts";
import { argmax, reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior, type Prior, trainMetaModel } from "#lib/aggregation/train.ts";
import { readDigits } from "./aggregation/digits.ts";
import { type AggregationTask, memberTask, tileTask, windowTask } from "./aggregation/tasks.ts";

const LABELS = 200;
const FEW = 32;
const DRAWS = 20;

const digits = readDigits();
if (!digits) {
  console.log("Skipped: the shared handwritten digits (../shared/data/mnist) are not here.");
  process.exit(0);
}

const tasks = [
  await tileTask(digits, 1),
  await memberTask(digits, "b: seven members", [null, null, null, null, null, null, null], 2),
  await memberTask(digits, "c: seven, two broken", [null, "shifted", null, null, "inverted", null, null], 2),
  await windowTask(2_600, 3),
];

console.log(`Trained with ${LABELS} labels; judged on all other records\n`);
console.log("task                     reducer   accuracy (95 % interval)      log loss  calibration error");
const withManyLabels = tasks.map((task) => compare(task, freshPrior()));

console.log(
  "\nEarlier jobs for the meta-learned start: other networks on other images, other breakages, other signals",
);
const earlier = [
  await tileTask(digits, 41, 2_500, 5_000),
  await tileTask(digits, 42, 0, 2_500),
  await memberTask(digits, "earlier", [null, null, "inverted", null, null], 43, 2_100),
  await memberTask(digits, "earlier", ["shifted", null, null, null, "shifted", null], 44, 2_400),
  await memberTask(digits, "earlier", [null, null, null, null], 45, 3_300),
  await windowTask(1_000, 46),
];
const learnt = metaLearn(
  earlier.map(({ set, labels }) => ({ set, targets: labels })),
  freshPrior(),
  "bench-1",
  seeded(5),
);
console.log(`\n${FEW} labels, ${DRAWS} draws: gain over the mean, in accuracy points and in log loss`);
const withFewLabels = tasks.map((task) => fewLabels(task, learnt));

mkdirSync("bench-results", { recursive: true });
writeFileSync("bench-results/aggregation.json", `${JSON.stringify({ withManyLabels, withFewLabels }, null, 2)}\n`);

function compare(task: AggregationTask, prior: Prior) {
  const order = shuffled(task.set.records, seeded(11));
  const train = order.slice(0, LABELS);
  const test = order.slice(LABELS);
  const testSet = selectRecords(task.set, test);
  const testLabels = gatherRows(task.labels, test, 1);
  const fitted = chooseReducer(task.set, { records: train, targets: gatherRows(task.labels, train, 1) }, prior);
  const model = trainMetaModel(selectRecords(task.set, train), gatherRows(task.labels, train, 1), { prior });
  const outputs = {
    mean: reduceSimple(testSet, "mean"),
    vote: reduceSimple(testSet, "vote"),
    max: reduceSimple(testSet, "max"),
    learned: applyMetaModel(model, testSet).outputs,
  };
  const rows = Object.entries(outputs).map(([reducer, answers]) => {
    const score = scoreClassification(answers, task.set.classes, testLabels);
    const interval = score.accuracyInterval.map((value) => (100 * value).toFixed(2)).join("–");
    console.log(
      `${task.name.padEnd(24)} ${reducer.padEnd(9)} ${(100 * score.accuracy).toFixed(2)} % (${interval})`.padEnd(64) +
        `${score.logLoss.toFixed(4)}    ${score.calibrationError.toFixed(4)}`,
    );
    return { reducer, ...score };
  });
  const gain = pairedGain(outputs.learned, outputs.mean, task.set.classes, testLabels);
  console.log(
    `${"".padEnd(24)} learned − mean: ${(100 * gain.mean).toFixed(2)} ± ${(196 * gain.error).toFixed(2)} points; ` +
      `chosen: ${fitted.chosen} (${fitted.report.because})\n`,
  );
  return { task: task.name, records: test.length, gain, chosen: fitted.chosen, rows };
}

/** Accuracy of a minus accuracy of b, record by record. */
function pairedGain(a: Float64Array, b: Float64Array, classes: number, labels: Float64Array) {
  const right = (outputs: Float64Array, r: number) =>
    argmax(outputs.subarray(r * classes, (r + 1) * classes)) === labels[r] ? 1 : 0;
  const difference = labels.map((_, r) => right(a, r) - right(b, r));
  return { mean: meanOf(difference), error: standardError(difference) };
}

function fewLabels(task: AggregationTask, prior: Prior) {
  const gains = { many: [] as number[], fewFresh: [] as number[], fewLearnt: [] as number[] };
  const lossGains = { many: [] as number[], fewFresh: [] as number[], fewLearnt: [] as number[] };
  for (let draw = 0; draw < DRAWS; draw++) {
    const order = shuffled(task.set.records, seeded(100 + draw));
    const test = order.slice(LABELS);
    const testSet = selectRecords(task.set, test);
    const testLabels = gatherRows(task.labels, test, 1);
    const mean = scoreClassification(reduceSimple(testSet, "mean"), task.set.classes, testLabels);
    const gainWith = (labels: number, start: Prior) => {
      const train = order.slice(0, labels);
      const model = trainMetaModel(selectRecords(task.set, train), gatherRows(task.labels, train, 1), { prior: start });
      const score = scoreClassification(applyMetaModel(model, testSet).outputs, task.set.classes, testLabels);
      return { accuracy: 100 * (score.accuracy - mean.accuracy), loss: mean.logLoss - score.logLoss };
    };
    for (const [name, labels, start] of [
      ["many", LABELS, freshPrior()],
      ["fewFresh", FEW, freshPrior()],
      ["fewLearnt", FEW, prior],
    ] as const) {
      const gain = gainWith(labels, start);
      gains[name].push(gain.accuracy);
      lossGains[name].push(gain.loss);
    }
  }
  const say = (values: number[], digitsShown: number) =>
    `${meanOf(values).toFixed(digitsShown)} ± ${standardError(values).toFixed(digitsShown)}`;
  console.log(
    `${task.name.padEnd(24)} 200 fresh ${say(gains.many, 2)} / ${say(lossGains.many, 3)}   ` +
      `32 fresh ${say(gains.fewFresh, 2)} / ${say(lossGains.fewFresh, 3)}   ` +
      `32 learnt ${say(gains.fewLearnt, 2)} / ${say(lossGains.fewLearnt, 3)}`,
  );
  return { task: task.name, gains, lossGains };
}
