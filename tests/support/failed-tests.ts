/** Which tests failed and why, in a line each, from the JSON reports of Vitest and Playwright. */
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { z } from "zod";

export const VitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().default(""),
      assertionResults: z.array(
        z.object({
          ancestorTitles: z.array(z.string()),
          title: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

const PlaywrightError = z.object({ message: z.string().optional() });
const PlaywrightSuite = z.object({
  title: z.string(),
  file: z.string(),
  specs: z.array(
    z.object({
      title: z.string(),
      tests: z.array(
        z.object({ status: z.string(), results: z.array(z.object({ error: PlaywrightError.optional() })) }),
      ),
    }),
  ),
  get suites() {
    return z.array(PlaywrightSuite).optional();
  },
});
export const PlaywrightReport = z.object({
  stats: z.object({ expected: z.number(), unexpected: z.number(), flaky: z.number(), skipped: z.number() }),
  errors: z.array(PlaywrightError).default([]),
  suites: z.array(PlaywrightSuite),
});

export function failedInVitest({ testResults }: z.infer<typeof VitestReport>): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    const failed = assertionResults.filter((test) => test.status === "failed");
    // A file that could not be loaded, or whose hooks failed.
    if (failed.length === 0 && status === "failed") return [inALine([file], message)];
    return failed.map((test) => inALine([file, ...test.ancestorTitles, test.title], test.failureMessages?.[0]));
  });
}

export function failedInPlaywright({ errors, suites }: z.infer<typeof PlaywrightReport>, folder: string): string[] {
  const within = (suite: z.infer<typeof PlaywrightSuite>, path: readonly string[]): string[] => [
    ...suite.specs.flatMap(({ title, tests }) =>
      tests
        .filter(({ status }) => status === "unexpected")
        .map(({ results }) => inALine([...path, title], results.at(-1)?.error?.message)),
    ),
    ...(suite.suites ?? []).flatMap((inner) => within(inner, [...path, inner.title])),
  ];
  return [
    ...errors.map(({ message }) => inALine([folder], message)),
    ...suites.flatMap((suite) => within(suite, [`${folder}/${suite.file}`])),
  ];
}

function inALine(names: readonly string[], message = ""): string {
  const [first = "failed outside its tests, see its output"] = stripVTControlCharacters(message)
    .split("\n")
    .filter((line) => line.trim() !== "");
  return `${names.join(" › ")}: ${first.trim()}`;
}
