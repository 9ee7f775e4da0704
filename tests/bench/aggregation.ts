/**
 * `npm run bench:aggregation`: the learned reducer against the simple ones on four tasks, trained with 200 labels and judged on at
 * least 2,000 held-out records; then with 32 labels, from scratch and from a start learned over earlier jobs, over 20 draws;
 * where classes are unequal; then with labels that are noise. Writes bench-results/aggregation.json and the table of /docs/aggregation.
 *
 * Images 0–4,999 train the networks, 5,000–7,999 are aggregated. Earlier jobs and everything that was tuned (penalties, the tasks'
 * breakages) saw images 0–4,999 and other networks and seeds only.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { chooseReducer } from "#lib/aggregation/choose-reducer.ts";
import { fitLearned } from "#lib/aggregation/fit-learned.ts";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { metaLearn } from "#lib/aggregation/meta-learn.ts";
import { applyMetaModel } from "#lib/aggregation/meta-model.ts";
import { meanOf, scoreClassification, standardError } from "#lib/aggregation/metrics.ts";
import { seeded, shuffled } from "#lib/aggregation/random.ts";
import { gatherRows } from "#lib/aggregation/rows.ts";
import { argmax, reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior, modelFromPrior, type Prior } from "#lib/aggregation/train.ts";
import { readDigits } from "./aggregation/digits.ts";
import { type AggregationTask, memberTask, type Split, tileTask, windowTask } from "./aggregation/tasks.ts";

const LABELS = 200;
const FEW = 32;
const DRAWS = 20;
const FLOOR_DRAWS = 20;
const UNEQUAL_DRAWS = 10;
const DOCS = "app/docs/aggregation/measured.json";
const FINAL: Split = { train: { from: 0, to: 5_000 }, aggregate: { from: 5_000, to: 8_000 } };
const [FIRST_HALF, SECOND_HALF]: [Split, Split] = [
  { train: { from: 2_500, to: 5_000 }, aggregate: { from: 0, to: 2_500 } },
  { train: { from: 0, to: 2_500 }, aggregate: { from: 2_500, to: 5_000 } },
];

const digits = readDigits();
if (!digits) {
  console.log("Skipped: the shared handwritten digits (../shared/data/mnist) are not here.");
  process.exit(0);
}

const WHOLE = [null, null, null, null, null, null, null];
const tasks = [
  await tileTask(digits, "a: four tiles", FINAL, 1),
  await memberTask(digits, "b: seven members", FINAL, WHOLE, 2),
  await memberTask(digits, "c: seven, two broken", FINAL, [null, "offset", null, null, "negative", null, null], 2),
  await windowTask("d: windows of a signal", 2_600, 3),
];
/** Other ways to be broken, measured and shown, that the mean takes better. */
const otherwise = [
  await memberTask(digits, "c, moved and negative", FINAL, [null, "moved", null, null, "negative", null, null], 2),
  await memberTask(
    digits,
    "c, renumbered and reversed",
    FINAL,
    [null, "renumbered", null, null, "reversed", null, null],
    2,
  ),
];

const earlier = [
  await tileTask(digits, "earlier", FIRST_HALF, 41),
  await tileTask(digits, "earlier", SECOND_HALF, 42),
  await memberTask(digits, "earlier", FIRST_HALF, [null, null, "negative", null, null], 43),
  await memberTask(digits, "earlier", SECOND_HALF, ["offset", null, null, null, "renumbered", null], 44),
  await memberTask(digits, "earlier", FIRST_HALF, [null, null, null, null], 45),
  await memberTask(digits, "earlier", SECOND_HALF, [null, "negative", null, "offset", null, null, null], 47),
  await windowTask("earlier", 1_000, 46),
  await tileTask(digits, "earlier", FIRST_HALF, 51),
  await tileTask(digits, "earlier", SECOND_HALF, 52),
  await memberTask(digits, "earlier", SECOND_HALF, [null, null, null, null, null, null], 53),
  await memberTask(digits, "earlier", FIRST_HALF, ["moved", null, null, null, null], 54),
  await memberTask(digits, "earlier", SECOND_HALF, [null, null, "offset", null, "negative", null, null], 55),
  await memberTask(digits, "earlier", FIRST_HALF, WHOLE, 56),
  await windowTask("earlier", 1_000, 57),
];
const learnt = metaLearn(
  earlier.map(({ set, labels }) => ({ set: withOwnProfile(set, labels), targets: labels })),
  freshPrior(),
  "bench-1",
  seeded(5),
);
console.log(`Trained with ${LABELS} labels; judged on all other records\n`);
console.log(
  "task                         reducer          accuracy (95 % interval)  log loss  calibration error (floor)",
);
const withManyLabels = [...tasks, ...otherwise].map((task) => compare(task, learnt));

console.log(`\n${DRAWS} draws, gain over the mean: accuracy points / log loss, with standard errors of the draws`);
const withFewLabels = tasks.map((task) => fewLabels(task, learnt));

console.log(`One class has a quarter of the records: gain over the mean, ${UNEQUAL_DRAWS} draws`);
const unequal = tasks.slice(0, 3).map((task) => unequalClasses(task, learnt));

const noise = guardOnNoise(tasks[0]!);
console.log(`\nLabels that are noise: a simple reducer was kept in ${noise.kept} of ${noise.draws} draws`);

const measured = { labels: LABELS, few: FEW, draws: DRAWS, withManyLabels, withFewLabels, unequal, noise };
mkdirSync("bench-results", { recursive: true });
writeFileSync("bench-results/aggregation.json", `${JSON.stringify(measured, null, 2)}\n`);
mkdirSync("app/docs/aggregation", { recursive: true });
writeFileSync(DOCS, `${JSON.stringify(measured, null, 2)}\n`);

function compare(task: AggregationTask, prior: Prior) {
  const order = shuffled(task.set.records, seeded(11));
  const train = order.slice(0, LABELS);
  const test = order.slice(LABELS);
  const testLabels = gatherRows(task.labels, test, 1);
  const targets = gatherRows(task.labels, train, 1);
  const set = withOwnProfile(task.set, targets);
  const testSet = selectRecords(set, test);
  const fitted = chooseReducer(set, { records: train, targets }, prior);
  const known = selectRecords(set, train);
  const mean = reduceSimple(testSet, "mean");
  const outputs = {
    mean,
    vote: reduceSimple(testSet, "vote"),
    max: reduceSimple(testSet, "max"),
    "learned, from scratch": applyMetaModel(fitLearned(known, targets, freshPrior(), 1).model, testSet).outputs,
    "learned, from earlier jobs": applyMetaModel(fitLearned(known, targets, prior, 1).model, testSet).outputs,
  };
  const rows = Object.entries(outputs).map(([reducer, answers]) => {
    const { accuracy, accuracyInterval, logLoss, calibrationError } = scoreClassification(
      answers,
      task.set.classes,
      testLabels,
    );
    const calibrationFloor = floorOf(answers, task.set.classes);
    const gain = pairedGain(answers, mean, task.set.classes, testLabels);
    const interval = accuracyInterval.map((value) => (100 * value).toFixed(2)).join("–");
    console.log(
      `${task.name.padEnd(28)} ${reducer.padEnd(27)} ${(100 * accuracy).toFixed(2)} % (${interval})`.padEnd(81) +
        `${(100 * gain.mean).toFixed(2).padStart(6)} ± ${(196 * gain.error).toFixed(2)}   ` +
        `${logLoss.toFixed(4)}    ${calibrationError.toFixed(4)} (${calibrationFloor.toFixed(4)})`,
    );
    return { reducer, accuracy, accuracyInterval, gain, logLoss, calibrationError, calibrationFloor };
  });
  console.log(`${"".padEnd(28)} chosen: ${fitted.chosen} (${fitted.report.because})\n`);
  return { task: task.name, records: test.length, chosen: fitted.chosen, rows };
}

/**
 * The calibration error that perfectly calibrated answers of these certainties show on so many records: labels are drawn
 * from the stated probabilities, and the estimator counts their chance as error.
 */
function floorOf(answers: Float64Array, classes: number): number {
  const random = seeded(900);
  const draw = (row: Float64Array) => {
    let left = random();
    const at = row.findIndex((logP) => {
      left -= Math.exp(logP);
      return left < 0;
    });
    return at < 0 ? classes - 1 : at;
  };
  const errors = Array.from({ length: FLOOR_DRAWS }, () => {
    const labels = Float64Array.from({ length: answers.length / classes }, (_, r) =>
      draw(answers.subarray(r * classes, (r + 1) * classes)),
    );
    return scoreClassification(answers, classes, labels).calibrationError;
  });
  return meanOf(errors);
}

/** Accuracy of a minus accuracy of b, record by record. */
function pairedGain(a: Float64Array, b: Float64Array, classes: number, labels: Float64Array) {
  const right = (outputs: Float64Array, r: number) =>
    argmax(outputs.subarray(r * classes, (r + 1) * classes)) === labels[r] ? 1 : 0;
  const difference = labels.map((_, r) => right(a, r) - right(b, r));
  return { mean: meanOf(difference), error: standardError(difference) };
}

function fewLabels(task: AggregationTask, prior: Prior) {
  const settings = [
    { name: `${LABELS} labels, from scratch`, labels: LABELS, start: freshPrior() },
    { name: `${FEW} labels, from scratch`, labels: FEW, start: freshPrior() },
    { name: `${FEW} labels, learned start`, labels: FEW, start: prior },
    { name: `${LABELS} labels, learned start`, labels: LABELS, start: prior },
  ].map((setting) => ({ ...setting, accuracy: [] as number[], logLoss: [] as number[], calibration: [] as number[] }));
  for (let draw = 0; draw < DRAWS; draw++) {
    const order = shuffled(task.set.records, seeded(100 + draw));
    const test = order.slice(LABELS);
    const testLabels = gatherRows(task.labels, test, 1);
    const mean = scoreClassification(reduceSimple(selectRecords(task.set, test), "mean"), task.set.classes, testLabels);
    for (const setting of settings) {
      const train = order.slice(0, setting.labels);
      const targets = gatherRows(task.labels, train, 1);
      const set = withOwnProfile(task.set, targets);
      const testSet = selectRecords(set, test);
      const { model } = fitLearned(selectRecords(set, train), targets, setting.start, draw);
      const score = scoreClassification(applyMetaModel(model, testSet).outputs, task.set.classes, testLabels);
      setting.accuracy.push(100 * (score.accuracy - mean.accuracy));
      setting.logLoss.push(mean.logLoss - score.logLoss);
      setting.calibration.push(score.calibrationError);
    }
  }
  const rows = settings.map(({ name, accuracy, logLoss, calibration }) => ({
    name,
    accuracyGain: summary(accuracy),
    logLossGain: summary(logLoss),
    calibrationError: summary(calibration),
  }));
  for (const { name, accuracyGain: a, logLossGain: l, calibrationError: c } of rows) {
    console.log(
      `${task.name.padEnd(28)} ${name.padEnd(26)} ${a.mean.toFixed(2)} ± ${a.standardError.toFixed(2)} / ` +
        `${l.mean.toFixed(3)} ± ${l.standardError.toFixed(3)}   calibration error ${c.mean.toFixed(4)}`,
    );
  }
  const [many, few, start] = settings;
  const ofTheGain = (gain: "accuracy" | "logLoss") => {
    const whole = meanOf(many![gain]);
    return whole > 0 ? `${((100 * meanOf(start![gain])) / whole).toFixed(0)} %` : "more than the whole (none)";
  };
  const started = (gain: "accuracy" | "logLoss", digits: number) => {
    const more = summary(start![gain].map((value, draw) => value - few![gain][draw]!));
    return `${more.mean.toFixed(digits)} ± ${more.standardError.toFixed(digits)}`;
  };
  console.log(
    `${"".padEnd(28)} the learned start gets ${ofTheGain("accuracy")} of ${LABELS} labels' gain in accuracy, ` +
      `${ofTheGain("logLoss")} of that in log loss; draw by draw ${started("accuracy", 2)} ` +
      `points and ${started("logLoss", 3)} of log loss more than scratch\n`,
  );
  return { task: task.name, rows };
}

const summary = (values: readonly number[]) => ({ mean: meanOf(values), standardError: standardError(values) });

/** Of all other classes every third record stays; which class is the frequent one changes from draw to draw. */
function unequalClasses(task: AggregationTask, prior: Prior) {
  const { classes } = task.set;
  const gains = [0, FEW, LABELS].map((labels) => ({ labels, accuracy: [] as number[], logLoss: [] as number[] }));
  for (let draw = 0; draw < UNEQUAL_DRAWS; draw++) {
    const random = seeded(300 + draw);
    const all = shuffled(task.set.records, random);
    const order = all.filter((r) => task.labels[r] === draw % classes || random() < 1 / 3);
    const test = order.slice(LABELS);
    const testLabels = gatherRows(task.labels, test, 1);
    const mean = scoreClassification(reduceSimple(selectRecords(task.set, test), "mean"), classes, testLabels);
    for (const { labels, accuracy, logLoss } of gains) {
      const targets = gatherRows(task.labels, order.slice(0, labels), 1);
      const whole = withOwnProfile(selectRecords(task.set, order), targets);
      const at = (from: number, to: number) =>
        selectRecords(
          whole,
          Int32Array.from({ length: to - from }, (_, i) => from + i),
        );
      const model =
        labels > 0 ? fitLearned(at(0, labels), targets, prior, draw).model : modelFromPrior(prior, task.set);
      const answers = applyMetaModel(model, at(LABELS, order.length)).outputs;
      const score = scoreClassification(answers, classes, testLabels);
      accuracy.push(100 * (score.accuracy - mean.accuracy));
      logLoss.push(mean.logLoss - score.logLoss);
    }
  }
  const rows = gains.map(({ labels, accuracy, logLoss }) => ({
    name: `${labels} labels, learned start`,
    accuracyGain: summary(accuracy),
    logLossGain: summary(logLoss),
  }));
  for (const { name, accuracyGain: a, logLossGain: l } of rows) {
    console.log(
      `${task.name.padEnd(28)} ${name.padEnd(26)} ${a.mean.toFixed(2)} ± ` +
        `${a.standardError.toFixed(2)} / ${l.mean.toFixed(3)} ± ${l.standardError.toFixed(3)}`,
    );
  }
  return { task: task.name, rows };
}

function guardOnNoise(task: AggregationTask) {
  let kept = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const random = seeded(500 + draw);
    const records = shuffled(task.set.records, random).slice(0, LABELS);
    const targets = Float64Array.from(records, () => Math.floor(random() * task.set.classes));
    const set = withOwnProfile(task.set, targets);
    if (chooseReducer(set, { records, targets }, freshPrior(), draw).chosen !== "learned") kept++;
  }
  return { draws: DRAWS, kept };
}
