/** The command line: `npx flux …`. The SDK underneath; every failure is one line that says what to do. */
import { Command, InvalidArgumentError, Option } from "commander";
import { Reducer } from "#lib/protocol/api/aggregation.ts";
import { CreateJob, ResultFormat } from "#lib/protocol/api/jobs.ts";
import type { SegmentSpec } from "#lib/protocol/datasets.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { GroupId } from "#lib/protocol/ids.ts";
import { fraction, withDatasetOptions } from "./dataset-options.ts";
import { cancelJob, listJobs, showJob } from "./jobs.ts";
import { say } from "./output.ts";

const program = new Command("flux")
  .description("Machine learning on lent browsers, on data that they cannot read")
  .option("--url <url>", "the coordinator (FLUX_URL; http://localhost:3000)")
  .option("--key <key>", "API key (FLUX_KEY, or what `flux login` kept)")
  .option("--json", "answers as JSON on standard output")
  .showHelpAfterError();

const format = () =>
  new Option("-f, --format <format>", "by the file's ending when left out").choices(ResultFormat.options);

program
  .command("login")
  .description("try an API key and keep it for this server")
  .action(async (_options, command: Command) => (await import("./login.ts")).login(command.optsWithGlobals()));

withDatasetOptions(program.command("submit <files...>"))
  .usage("[options] MODEL… DATASET")
  .description("upload, plan, run, and write the results to a file; several models are combined to one answer")
  .option("--models <files...>", "the models, where only DATASET stands alone")
  .option("--window <length/stride>", "run the models on windows of every record, for example 64/32", windows)
  .option("--tile <size/overlap>", "run the models on tiles of every image, for example 16/4", tiles)
  .addOption(new Option("--aggregation <how>", "how members and segments become one answer").choices(Reducer.options))
  .option("--no-contribute", "how the outputs were combined does not improve later jobs' start")
  .addOption(
    new Option("--privacy <privacy>", "who may see the data").choices(["encrypted", "public"]).default("encrypted"),
  )
  .addOption(
    new Option("--custody <custody>", "who holds the key of an encrypted job (submitter: it never leaves this machine)")
      .choices(["submitter", "coordinator"])
      .default("submitter"),
  )
  .addOption(
    new Option("--runtime <runtime>", "public jobs: with what donors run the model").choices(
      CreateJob.shape.runtime.unwrap().options,
    ),
  )
  .option("--name <name>", "what the job is called")
  .option("--group <id>", "only on the donors of this private group (grp_…)", groupId)
  .option("--regions <codes>", "only in these countries, for example DE,FR or EU", regions)
  .option("--min-fidelity <share>", "least share of records with the plain model's answer", fraction)
  .option("--accept-fidelity", "run whatever the fidelity is")
  .option("--dry-run", "show the plan and keep nothing")
  .option("--no-watch", "do not wait for the results")
  .option("-o, --output <file>", "where the results go")
  .addOption(format())
  .action(async (files: string[], _options, command: Command) =>
    (await import("./submit.ts")).submit(files, command.optsWithGlobals()),
  );

withDatasetOptions(program.command("inspect <file>"))
  .description("what a model or dataset file holds, and how it would be read; nothing leaves this machine")
  .action(async (file: string, _options, command: Command) =>
    (await import("./inspect.ts")).inspect(file, command.optsWithGlobals()),
  );

program
  .command("resume <id>")
  .description("take up a job whose key is on this machine: encrypt, upload, decrypt what is left, write the results")
  .option("-o, --output <file>", "where the results go")
  .addOption(format())
  .action(async (id: string, _options, command: Command) => {
    const [{ resume }, { jobIdOf }] = await Promise.all([import("./sealed.ts"), import("./arguments.ts")]);
    return resume(jobIdOf(id), command.optsWithGlobals());
  });

program
  .command("jobs")
  .description("list jobs, newest first")
  .option("--limit <count>", "how many", count, 20)
  .action((_options, command: Command) => listJobs(command.optsWithGlobals()));

program
  .command("job <id>")
  .description("one job: status, counts, what it waits for")
  .option("-w, --watch", "follow it to its end")
  .action((id: string, _options, command: Command) => showJob(id, command.optsWithGlobals()));

program
  .command("results <id>")
  .description("download results, one row a record, in dataset order")
  .option("-o, --output <file>", "standard output when left out")
  .addOption(format())
  .action(async (id: string, _options, command: Command) =>
    (await import("./results.ts")).results(id, command.optsWithGlobals()),
  );

program
  .command("feedback <id> <file>")
  .description("send labels or ratings: CSV with the columns record (or the id column), label, score, comment")
  .option("--replace", "new labels take the place of others that are there")
  .option("-o, --output <file>", "where the new results go, of jobs whose key is on this machine")
  .action(async (id: string, file: string, _options, command: Command) =>
    (await import("./feedback.ts")).feedback(id, file, command.optsWithGlobals()),
  );

program
  .command("aggregate <id>")
  .description("combine a job's outputs anew, with the labels that there are now")
  .addOption(new Option("--aggregation <how>", "with another reducer").choices(Reducer.options))
  .option("-o, --output <file>", "where the new results go, of jobs whose key is on this machine")
  .action(async (id: string, _options, command: Command) =>
    (await import("./feedback.ts")).aggregate(id, command.optsWithGlobals()),
  );

program
  .command("cancel <id>")
  .description("cancel a job that has not ended")
  .action((id: string, _options, command: Command) => cancelJob(id, command.optsWithGlobals()));

program
  .command("forget <id>")
  .description("delete what this machine keeps of an ended job: its keys, decrypted answers, labels")
  .option("--yes", "do not ask")
  .action(async (id: string, _options, command: Command) => {
    const [{ forget }, { jobIdOf }] = await Promise.all([import("./forget.ts"), import("./arguments.ts")]);
    return forget(jobIdOf(id), command.optsWithGlobals());
  });

program
  .command("donate")
  .description("lend this machine, in browser tabs without a window")
  .requiredOption("--headless <count>", "how many tabs", count)
  .option("--group <link>", "for a private group, by its link")
  .action(async (_options, command: Command) => (await import("./donate.ts")).donate(command.optsWithGlobals()));

program
  .command("doctor")
  .description("check what works from here")
  .action(async (_options, command: Command) => (await import("./doctor.ts")).doctor(command.optsWithGlobals()));

try {
  await program.parseAsync();
} catch (error) {
  if (!isFluxError(error)) throw error;
  say(`flux: ${error.detail}`);
  for (const { param, detail } of error.errors?.slice(1) ?? []) {
    if (!error.detail.includes(detail)) say(`  ${param}: ${detail}`);
  }
  if (error.code === "dataset_value") {
    say(
      "  Here: --one-hot column=a,b or --category column=a,b, --bool column=yes/no, --fill column=0, --ignore column;",
    );
    say("  `flux inspect DATASET` shows every column and what would be accepted.");
  }
  process.exitCode = 1;
}

function windows(text: string): SegmentSpec {
  const [length, stride] = pair(text);
  return { kind: "window", length, stride: stride ?? length, axis: 0 };
}

function tiles(text: string): SegmentSpec {
  const [size, overlap] = pair(text);
  return { kind: "tile", size, overlap: overlap ?? 0 };
}

function pair(text: string): [number, number | undefined] {
  const found = /^(\d+)(?:\/(\d+))?$/.exec(text);
  if (!found) throw new InvalidArgumentError("a number, or two with a slash between, like 64/32");
  return [Number(found[1]), found[2] === undefined ? undefined : Number(found[2])];
}

function groupId(text: string): GroupId {
  const id = GroupId.safeParse(text);
  if (!id.success) throw new InvalidArgumentError("groups' ids look like grp_… (dashboard, Groups)");
  return id.data;
}

function regions(text: string): string[] {
  const codes = text.split(",").map((code) => code.trim().toUpperCase());
  if (codes.every((code) => /^[A-Z]{2,4}$/.test(code))) return codes;
  throw new InvalidArgumentError("country codes like DE, or groups like EU, with commas between");
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("a whole number from 1");
  return value;
}
