/**
 * The same first job in three languages, as the docs page and README show them. tests/contract/snippets.test.ts runs each
 * of them against a real coordinator.
 */

export interface SnippetValues {
  readonly url: string;
  /** A key, or a placeholder where the reader has none yet. */
  readonly key: string;
}

export type Language = "curl" | "TypeScript" | "Python";

export const QUICK_START: Readonly<Record<Language, (values: SnippetValues) => string>> = {
  curl: ({ url, key }) => `FLUX=${url}/api/v1
KEY=${key}
id() { grep -o '"id":"[^"]*"' | head -n 1 | cut -d '"' -f 4; }

# 1. Upload the files, and see what was understood of them.
MODEL_FILE=$(curl -sf -H "Authorization: Bearer $KEY" -F purpose=model -F file=@model.onnx $FLUX/files | id)
DATA_FILE=$(curl -sf -H "Authorization: Bearer $KEY" -F purpose=dataset -F file=@data.csv $FLUX/files | id)
MODEL=$(curl -sf -H "Authorization: Bearer $KEY" --json "{\\"file_id\\": \\"$MODEL_FILE\\"}" $FLUX/models | id)
DATASET=$(curl -sf -H "Authorization: Bearer $KEY" --json "{\\"file_id\\": \\"$DATA_FILE\\"}" $FLUX/datasets | id)

# 2. Submit. Say "encrypted" unless the data is public anyway.
JOB=$(curl -sf -H "Authorization: Bearer $KEY" --json "{\\"model\\": \\"$MODEL\\", \\"dataset\\": \\"$DATASET\\", \\"privacy\\": \\"public\\"}" $FLUX/jobs | id)

# 3. Follow it to its end, then download: one row a record, in the dataset's order.
curl -sfN -H "Authorization: Bearer $KEY" $FLUX/jobs/$JOB/events > /dev/null
curl -sf -H "Authorization: Bearer $KEY" "$FLUX/jobs/$JOB/results?format=csv" -o results.csv
`,

  TypeScript: ({ url, key }) => `import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { FluxClient } from "flux";

const flux = new FluxClient({ url: "${url}", apiKey: "${key}" });

const modelFile = await flux.uploadFile(await openAsBlob("model.onnx"), "model.onnx", "model");
const dataFile = await flux.uploadFile(await openAsBlob("data.csv"), "data.csv", "dataset");
const model = await flux.createModel({ file_id: modelFile.id });
const dataset = await flux.createDataset({ file_id: dataFile.id });

const job = await flux.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });
const done = await flux.waitForJob(job.id, { onProgress: ({ why }) => console.log(why) });
if (done.status !== "completed") throw new Error(done.why);
await writeFile("results.csv", await (await flux.results(job.id, "csv")).text());
`,

  Python: ({ url, key }) => `import json, time, uuid
from urllib.request import Request, urlopen

FLUX, KEY = "${url}/api/v1", "${key}"

def call(path, body=None, content_type="application/json"):
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": content_type}
    with urlopen(Request(FLUX + path, data, headers)) as answer:
        return answer.read()

def upload(path, purpose):
    edge = uuid.uuid4().hex
    with open(path, "rb") as file:
        form = (f'--{edge}\\r\\nContent-Disposition: form-data; name="purpose"\\r\\n\\r\\n{purpose}\\r\\n'
                f'--{edge}\\r\\nContent-Disposition: form-data; name="file"; filename="{path}"\\r\\n\\r\\n').encode()
        form += file.read() + f"\\r\\n--{edge}--\\r\\n".encode()
    return json.loads(call("/files", form, f"multipart/form-data; boundary={edge}"))["id"]

model = json.loads(call("/models", {"file_id": upload("model.onnx", "model")}))
dataset = json.loads(call("/datasets", {"file_id": upload("data.csv", "dataset")}))
job = json.loads(call("/jobs", {"model": model["id"], "dataset": dataset["id"], "privacy": "public"}))

while job["status"] not in ("completed", "failed", "canceled"):
    time.sleep(1)
    job = json.loads(call("/jobs/" + job["id"]))
if job["status"] != "completed":
    raise SystemExit(job["why"])
with open("results.csv", "wb") as file:
    file.write(call("/jobs/" + job["id"] + "/results?format=csv"))
`,
};
