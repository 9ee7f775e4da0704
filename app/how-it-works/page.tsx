/** The six steps of a job, each drawn. */
import type { Metadata } from "next";
import type { ReactNode } from "react";
import { EXAMPLE } from "../components/example/example.ts";
import { CheckResult } from "../components/how/check-result.tsx";
import { ForDevices } from "../components/how/for-devices.tsx";
import { KeySlider } from "../components/how/key-slider.tsx";
import { ModelToLanes } from "../components/how/model-to-lanes.tsx";
import { OneLane } from "../components/how/one-lane.tsx";
import { Trust } from "../components/how/trust.tsx";
import { ButtonLink } from "../components/ui/button.tsx";
import { formatBytes, formatCount } from "../format.ts";

export const metadata: Metadata = {
  title: "How it works",
  description:
    "Prepare, submit, distribute, compute encrypted, check and combine, improve: the six steps of a job, drawn.",
};

export default function HowItWorks() {
  const { batch } = EXAMPLE;
  return (
    <div className="mx-auto max-w-6xl px-4 pt-10 sm:px-6 sm:pt-14">
      <h1 className="max-w-3xl text-[2.3rem] sm:text-[3.2rem]">
        How strangers’ browsers compute what they cannot read
      </h1>
      <p className="mt-4 max-w-2xl text-[1.12rem] text-ink-2">
        Six steps, from a model and a file to answers. The pictures are made of real numbers: one synthetic digit,
        encrypted with {formatCount(batch.records - 1)} others under a key that was thrown away.
      </p>
      <ol className="steps-lane mt-10 sm:mt-14">
        <Step number={1} name="Prepare" title="The model becomes two kinds of arithmetic" figure={<ModelToLanes />}>
          <p>
            A compiler reads your ONNX or TensorFlow model and folds it into two operations that also work on encrypted
            numbers: multiplying by a matrix of small integers, and squaring. What does not fit is refused by name, or
            replaced by a fitted quadratic.
          </p>
          <p>
            Then it rehearses the result on your own records with real encryption, and tells you how many answers stay
            the same before anything runs. Below 99 % it asks first.
          </p>
        </Step>
        <Step number={2} name="Submit" title="The data is encrypted, value by value" figure={<KeySlider />}>
          <p>
            Each value of a record becomes a ciphertext that holds that value of {formatCount(batch.records)} records at
            once. Cut the other way, across the {formatCount(batch.values)} ciphertexts of a batch, lie{" "}
            {formatCount(batch.lanes)} <em>lanes</em>. Drag the key over the picture: without it, a lane is what you
            see.
          </p>
          <p>
            It costs bytes: {formatBytes(EXAMPLE.bytesPerRecordDown)} go out for this record of{" "}
            {formatBytes(batch.values)}. The plan says so, beside what running the model yourself would cost.
          </p>
        </Step>
        <Step
          number={3}
          name="Distribute"
          title="Each device gets as much as it can do in seconds"
          figure={<ForDevices />}
        >
          <p>
            A microtask is a run of lanes, as long as its device can compute in three seconds or less. A phone gets a
            short one, a desktop a long one. When a tab closes, what it held goes to the next.
          </p>
          <p>Whenever something waits, the job’s page says why, in the words of the rule that decided.</p>
        </Step>
        <Step number={4} name="Compute encrypted" title="One lane, one exact sum" figure={<OneLane />}>
          <p>
            On a lane, the network is plain integer arithmetic modulo a prime. No keys, no encryption library, no
            rounding: a phone and a workstation return the same bits, so any difference is an error or a lie.
          </p>
          <p>Donors see the model’s weights and random-looking residues. They do not see a record, nor an answer.</p>
        </Step>
        <Step number={5} name="Check and combine" title="A lie is found twice" figure={<CheckResult />}>
          <p>
            After a result has come in, lanes are drawn at random and computed again. The donor learns too late which.
            And a wrong lane that the sample misses cannot bend one answer: it turns its whole batch to noise when it is
            decrypted, which is noticed, traced and done anew.
          </p>
          <p>Only then are outputs decrypted, and those of several models or pieces combined to one answer a record.</p>
        </Step>
        <Step number={6} name="Improve" title="It learns whom to trust" figure={<Trust />}>
          <p>
            Label a few records, and a small meta-model learns how much each member of an ensemble is worth, and when.
            It is used only where it proves better on labels that it was not trained with; otherwise the plain mean
            stays.
          </p>
          <p>Timings teach the scheduler in the same way: the next job is cut to the devices that there are.</p>
        </Step>
      </ol>
      <section className="mt-6 border-t border-line pt-10">
        <h2 className="text-[1.6rem]">When it pays, and when not</h2>
        <p className="mt-2 max-w-3xl text-ink-2">
          Encrypting one value costs as much as some thousands of plain multiplications. A small model on many values is
          cheaper to run yourself. It pays where the model does much work per value (ensembles, wide layers), or where
          those who compute must not read the data. Public data needs none of it: there donors run the model as it is.
        </p>
        <div className="mt-6 flex flex-wrap gap-3">
          <ButtonLink href="/dashboard/new">Plan a job</ButtonLink>
          <ButtonLink kind="quiet" href="/docs/privacy">
            Who sees what
          </ButtonLink>
        </div>
      </section>
    </div>
  );
}

function Step(props: { number: number; name: string; title: string; figure: ReactNode; children: ReactNode }) {
  const { number, name, title, figure, children } = props;
  return (
    <li className="grid grid-cols-[minmax(0,1fr)] gap-x-14 gap-y-7 pb-16 pl-7 sm:pb-24 sm:pl-12 lg:grid-cols-[minmax(0,1fr)_minmax(0,1.15fr)] lg:items-center">
      <div>
        <p className="number text-[0.95rem] text-accent">
          {number} · {name}
        </p>
        <h2 className="mt-1 text-[1.7rem] sm:text-[2rem]">{title}</h2>
        <div className="mt-3 grid max-w-[34rem] gap-3 text-[1.04rem] text-ink-2">{children}</div>
      </div>
      <div className="min-w-0">{figure}</div>
    </li>
  );
}
