import type { ReactNode } from "react";
import { DATASET_LIMITS, MODEL_LIMITS, UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import { CodeBlock } from "../../components/ui/code.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";

export const metadata = { title: "Models and data" };

const MODELS: readonly Row[] = [
  [
    "ONNX, opset 6 to 24",
    ".onnx, or in a zip",
    "onnxruntime, the file as it is: every operator of onnxruntime-web",
    "vectors of the ONNX project, three real models",
  ],
  [
    "TensorFlow.js layers model",
    "model.json and its shards in a zip",
    "TensorFlow.js or onnxruntime, whichever is faster on your records; layers that only TensorFlow.js has (LSTM …) too",
    "every layer, saved by TensorFlow.js itself; a published model in browser tabs",
  ],
  [
    "TensorFlow.js graph model",
    "model.json and its shards in a zip",
    "likewise",
    "every operator against TensorFlow.js; one published model by hand",
  ],
  [
    "Keras .keras and .h5",
    "the file",
    "onnxruntime, as ONNX written from the model",
    "files built to the public formats by our tests; none that Keras wrote was at hand",
  ],
  [
    "TensorFlow SavedModel, frozen graph",
    "the folder in a zip; .pb",
    "onnxruntime, as ONNX written from the model",
    "files built to the public formats by our tests; none that TensorFlow wrote was at hand",
  ],
  ["TensorFlow Lite, PyTorch, pickles", "refused", "the refusal holds the line that converts it to ONNX", "–"],
];

const DATASETS: readonly Row[] = [
  [
    "CSV, TSV",
    "columns become one array “features”; one may be the label, one the id",
    "delimiter and header are guessed and shown; words and gaps need a word from you",
  ],
  ["JSON Lines", "numbers as CSV; lists become arrays, nested lists their axes", "one record on each line"],
  ["Parquet", "as JSON Lines", "snappy, gzip, zstd, brotli, uncompressed; tried on files of hyparquet-writer only"],
  [
    "NPY, NPZ",
    "the first axis counts records; the arrays of an NPZ feed the inputs of their names",
    "tried on files of NumPy 2.4, read back by it; pickles are never opened",
  ],
  [
    "zip of images",
    "PNG, JPEG, WebP; the entry’s name is the id, its folder may be the label",
    "size, fit, grey/RGB/BGR, layout, scale, mean and std as you state",
  ],
  ["gzip", "around any of them", "zips and Parquet inside it up to 128 MiB"],
];
type Row = readonly string[];

const TABLE = `npx flux inspect people.csv
npx flux submit model.onnx people.csv --id name \\
  --columns sex,age,smoker --one-hot sex=F,M --bool smoker=yes/no --fill age=40`;
const IMAGES = `npx flux submit resnet.onnx photos.zip --image-size 224x224 --fit cover --channels rgb --layout chw \\
  --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225`;
const INPUTS = `npx flux submit two-inputs.onnx arrays.npz --input left=a --input right=b
npx flux submit two-inputs.onnx table.csv  --input left=features:age,height --input right=features:income`;

const LIMITS: readonly Row[] = [
  ["model file", mebibytes(MODEL_LIMITS.modelBytes)],
  ["dataset file", mebibytes(UPLOAD_LIMITS.uploadBytes)],
  ["records of a dataset", DATASET_LIMITS.records.toLocaleString("en")],
  ["columns of a table", DATASET_LIMITS.columns.toLocaleString("en")],
  ["values of one array in a record", DATASET_LIMITS.recordElements.toLocaleString("en")],
  ["one line of CSV or JSON", mebibytes(DATASET_LIMITS.lineBytes)],
  [
    "one image",
    `${mebibytes(DATASET_LIMITS.imageBytes)}, ${DATASET_LIMITS.imageSidePixels.toLocaleString("en")} pixels a side`,
  ],
  [
    "files in a zip",
    `${DATASET_LIMITS.zipEntries.toLocaleString("en")} (models: ${MODEL_LIMITS.files.toLocaleString("en")})`,
  ],
  ["what a zip or gzip unpacks to", `${DATASET_LIMITS.zipRatio} times its size (models: ${MODEL_LIMITS.zipRatio})`],
];

export default function Formats() {
  return (
    <article className="max-w-4xl">
      <h1 className="text-[2.2rem]">Models and data</h1>
      <p className="mt-3 max-w-3xl text-[1.12rem] text-ink-2">
        What can be brought, how it is read, and what was and was not tried on real files. Whatever is read is shown
        back before anything runs, and kept with the job as its <Code>recipe</Code>.
      </p>

      <Heading>Models</Heading>
      <Grid label="Models" names={["Format", "Upload", "Public jobs run it with", "Tried on"]} rows={MODELS} />
      <p className="mt-3 max-w-3xl text-ink-2">
        All of them are read into one graph, from which encrypted jobs are compiled. An upload is answered with the
        operators that cannot be encrypted and what to do about each. All axes but the first, which counts records, are
        fixed. A job names its runtime with <Code>runtime</Code> (<Code>onnxruntime</Code> or <Code>tfjs</Code>); left
        out, both are timed on the first records where the model has both, and the plan shows the times.
      </p>

      <Heading>Data</Heading>
      <Grid label="Datasets" names={["Format", "What becomes of it", "Good to know"]} rows={DATASETS} />
      <p className="mt-3 max-w-3xl text-ink-2">
        Text never becomes a number, and a gap never a value, unless you say how; the refusal says what to send. It is
        stated once, with the dataset (<Code>preprocessing</Code>), on the command line with options:
      </p>
      <div className="mt-4 grid grid-cols-1 gap-4">
        <CodeBlock text={TABLE} label="Copy the example of a table" />
        <CodeBlock text={IMAGES} label="Copy the example of images" />
        <CodeBlock text={INPUTS} label="Copy the example of several inputs" />
      </div>
      <p className="mt-4 max-w-3xl text-ink-2">
        For everything else: <Code>flux inspect data.csv --json &gt; how.json</Code>, edit its suggestion, and{" "}
        <Code>--preprocessing how.json</Code>. Over REST the same document is the field <Code>preprocessing</Code> of{" "}
        <Code>POST /datasets</Code>, and which part feeds which input is <Code>inputs</Code> of <Code>POST /jobs</Code>.
      </p>

      <Heading>Results</Heading>
      <p className="mt-2 max-w-3xl text-ink-2">
        One row a record, in the order of the dataset, with its id column: JSON, JSON Lines, CSV, NPY (NPZ for several
        outputs) or Parquet. JSON and Parquet carry the recipe: digests of the files, how the dataset was read, and
        which of its parts fed which input.
      </p>

      <Heading>Limits</Heading>
      <Grid label="Limits" names={["Of", "At most"]} rows={LIMITS} />
      <p className="mt-3 max-w-3xl text-ink-2">
        Files are read in a thread of their own within memory and processor limits; datasets are streamed: a CSV of 2 GB
        was read with 185 MiB of memory, 50,000 images with 328 MiB. Files made to harm (zip bombs, climbing names,
        lying lengths, deep nesting, pickles) are refused within two seconds of processor time.
      </p>
    </article>
  );
}

function Heading({ children }: { children: string }) {
  return <h2 className="mt-10 mb-4 text-[1.5rem]">{children}</h2>;
}

function Code({ children }: { children: ReactNode }) {
  return <code className="number text-[0.92rem]">{children}</code>;
}

function Grid({ label, names, rows }: { label: string; names: readonly string[]; rows: readonly Row[] }) {
  return (
    <Table label={label}>
      <Head>
        {names.map((name) => (
          <Th key={name}>{name}</Th>
        ))}
      </Head>
      <tbody>
        {rows.map((cells) => (
          <Tr key={cells[0]}>
            {cells.map((cell, index) => (
              <Td key={names[index]} className={index === 0 ? "align-top font-[560]" : "align-top text-ink-2"}>
                {cell}
              </Td>
            ))}
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}

function mebibytes(bytes: number): string {
  const MiB = 1024 * 1024;
  return bytes >= 1024 * MiB ? `${bytes / (1024 * MiB)} GiB` : `${bytes / MiB} MiB`;
}
