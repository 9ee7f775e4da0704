"use client";
/** A form that is sent to the API: what is wrong stands at its field, or above the button. */
import { type FormEvent, useState } from "react";
import { ApiProblem, problemText } from "../api.ts";

export interface Submitting {
  readonly busy: boolean;
  readonly problem: string | null;
  /** The field that the problem is about. */
  readonly param: string | null;
  readonly onSubmit: (event: FormEvent<HTMLFormElement>) => void;
}

/** @param send what to do with the fields; its promise keeps the form busy */
export function useSubmit(send: (fields: Readonly<Record<string, string>>) => Promise<void>): Submitting {
  const [state, setState] = useState<Omit<Submitting, "onSubmit">>({ busy: false, problem: null, param: null });
  return {
    ...state,
    onSubmit(event) {
      event.preventDefault();
      const form = new FormData(event.currentTarget);
      const fields = Object.fromEntries([...form].map(([name, value]) => [name, String(value)]));
      setState({ busy: true, problem: null, param: null });
      send(fields).then(
        () => setState({ busy: false, problem: null, param: null }),
        (error: unknown) => {
          const param = error instanceof ApiProblem ? (error.problem.param ?? null) : null;
          setState({ busy: false, problem: problemText(error), param });
        },
      );
    },
  };
}
