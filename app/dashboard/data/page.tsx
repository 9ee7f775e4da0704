import { coordinator } from "#lib/coordinator/registry.ts";
import type { DatasetResource, FileResource } from "#lib/protocol/api/uploads.ts";
import { DeleteButton } from "../../components/dashboard/delete-button.tsx";
import { shapeText } from "../../components/new-job/model-facts.tsx";
import { RecordStrip } from "../../components/new-job/record-picture.tsx";
import { ButtonLink } from "../../components/ui/button.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatBytes, formatCount, formatTime } from "../../format.ts";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Data" };

const SHOWN = 50;

export default async function Data() {
  const caller = await signedIn();
  if (!caller) return null;
  const { services } = coordinator();
  const datasets = (await services.datasets.list(caller, { limit: SHOWN })).items;
  const files = (await services.files.list(caller, { limit: SHOWN })).items;
  return (
    <>
      <PageHeader title="Data">Datasets as models read them, and the files that they were read from.</PageHeader>
      {datasets.length === 0 ? (
        <EmptyState title="No datasets yet" action={<ButtonLink href="/dashboard/new">New job</ButtonLink>}>
          A dataset is read when you drop a file into a new job.
        </EmptyState>
      ) : (
        <ul className="grid grid-cols-[minmax(0,1fr)] gap-4">
          {datasets.map((dataset) => (
            <Dataset key={dataset.id} dataset={dataset} />
          ))}
        </ul>
      )}
      {files.length > 0 ? <Files files={files} /> : null}
    </>
  );
}

function Dataset({ dataset }: { dataset: DatasetResource }) {
  const labels = dataset.columns.filter(({ role }) => role === "label").map(({ name }) => name);
  return (
    <li className="grid grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-3 rounded-lg border border-line bg-raised p-4 sm:grid-cols-[minmax(0,1fr)_auto] sm:p-5">
      <div className="min-w-0">
        <h2 className="text-[1.1rem] [overflow-wrap:anywhere]">{dataset.name}</h2>
        <p className="mt-0.5 text-[0.93rem] text-ink-3">
          {formatCount(dataset.records)} records · {dataset.format} · {formatTime(dataset.created_at)}
        </p>
        <p className="number mt-2 text-[0.88rem] [overflow-wrap:anywhere]">
          {dataset.features.map(shapeText).join(", ")}
          {labels.length > 0 ? `, label ${labels.join(", ")}` : ""}
        </p>
        <RecordStrip preview={dataset.preview} />
      </div>
      <div className="flex items-start gap-1.5">
        <ButtonLink kind="quiet" size="small" href={`/dashboard/new?dataset=${dataset.id}`}>
          Use in a job
        </ButtonLink>
        <DeleteButton path={`/api/v1/datasets/${dataset.id}`} name={dataset.name} what="dataset" />
      </div>
    </li>
  );
}

function Files({ files }: { files: readonly FileResource[] }) {
  return (
    <div className="mt-10">
      <h2 className="mb-3 text-[1.3rem]">Files</h2>
      <Table label="Files">
        <Head>
          <Th>Name</Th>
          <Th>For</Th>
          <Th numeric>Size</Th>
          <Th>Uploaded</Th>
          <Th>
            <span className="sr-only">Actions</span>
          </Th>
        </Head>
        <tbody>
          {files.map((file) => (
            <Tr key={file.id}>
              <Td className="max-w-72 truncate">{file.filename}</Td>
              <Td>{file.purpose}</Td>
              <Td numeric>{formatBytes(file.bytes)}</Td>
              <Td className="whitespace-nowrap text-ink-2">{formatTime(file.created_at)}</Td>
              <Td className="text-right">
                <DeleteButton path={`/api/v1/files/${file.id}`} name={file.filename} what="file" />
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </div>
  );
}
