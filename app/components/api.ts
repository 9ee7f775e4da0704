/** Calls of our own REST interface from the browser. Answers are parsed by the same schemas that the server sends by. */
import { Problem } from "#lib/protocol/api/common.ts";

/** What went wrong, as problem+json said it. */
export class ApiProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export function problemText(error: unknown): string {
  if (error instanceof ApiProblem) return error.problem.detail;
  return "The server could not be reached. Check the connection and try again.";
}

export async function postJson(path: string, body: unknown): Promise<unknown> {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export async function call(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(path, { credentials: "same-origin", ...init });
  const value: unknown = await response.json();
  if (response.ok) return value;
  const problem = Problem.safeParse(value);
  if (problem.success) throw new ApiProblem(problem.data);
  throw new Error(`${path} answered ${response.status}`);
}
