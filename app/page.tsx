/** Flux on one screen: what it is, drawn, and the two things to do. */
import { coordinator } from "#lib/coordinator/registry.ts";
import { HeroLanes } from "./components/landing/hero-lanes.tsx";
import { NetworkNow } from "./components/landing/network-now.tsx";
import { ButtonLink } from "./components/ui/button.tsx";

const LEGEND = [
  {
    title: "Your record",
    text: "It is encrypted before any browser gets it. Donors never hold a key.",
  },
  {
    title: "What donors compute on",
    text: "Numbers that look random: these lines are real ciphertext of the picture beside them.",
  },
  {
    title: "Your answer",
    text: "Every result is checked by recomputing a part of it that its donor could not foresee.",
  },
];

export default async function Landing() {
  const summary = await coordinator().services.donors.summary();
  return (
    <div className="mx-auto max-w-6xl px-4 pt-9 sm:px-6 sm:pt-14">
      <section className="grid gap-x-12 gap-y-5 lg:grid-cols-[1.35fr_1fr] lg:items-end">
        <h1 className="text-[2.5rem] leading-[1.04] sm:text-[3.6rem]">
          Machine learning on browsers that cannot read your data
        </h1>
        <div>
          <p className="max-w-[34rem] text-[1.12rem] text-ink-2">
            Hand in a model and a dataset. Flux encrypts the data, cuts the work into pieces of three seconds or less,
            and spreads them over browser tabs that people lend.
          </p>
          <div className="mt-5 flex flex-wrap gap-3">
            <ButtonLink href="/dashboard/new">New job</ButtonLink>
            <ButtonLink kind="quiet" href="/donate">
              Lend this browser
            </ButtonLink>
            <ButtonLink kind="bare" href="/how-it-works">
              How it works
            </ButtonLink>
          </div>
        </div>
      </section>
      <figure className="mt-9 sm:mt-12">
        <HeroLanes className="h-[13rem] sm:h-[19rem]" />
        <figcaption className="mt-4 grid gap-x-8 gap-y-4 border-t border-line pt-4 sm:grid-cols-[0.31fr_0.43fr_0.26fr]">
          {LEGEND.map(({ title, text }) => (
            <div key={title}>
              <p className="font-[600]">{title}</p>
              <p className="mt-0.5 max-w-[24rem] text-[0.97rem] text-ink-2">{text}</p>
            </div>
          ))}
        </figcaption>
      </figure>
      <NetworkNow summary={summary} />
    </div>
  );
}
