import { Lanes } from "./components/lanes.tsx";
import { ButtonLink } from "./components/ui/button.tsx";

export default function Landing() {
  return (
    <div className="mx-auto max-w-6xl px-4 pt-12 sm:px-6 sm:pt-20">
      <section className="grid gap-10 lg:grid-cols-[1.1fr_1fr] lg:items-center">
        <div>
          <h1 className="text-[2.4rem] sm:text-[3.4rem]">Machine learning on browsers that cannot read your data</h1>
          <p className="mt-5 max-w-[34rem] text-[1.15rem] text-ink-2">
            Hand in a model and a dataset. Flux encrypts the data, cuts the work into pieces of three seconds or less,
            and spreads them over browser tabs that people lend. Every result is checked, and a learned model combines
            them into one answer.
          </p>
          <div className="mt-8 flex flex-wrap gap-3">
            <ButtonLink href="/dashboard/new">New job</ButtonLink>
            <ButtonLink kind="quiet" href="/donate">
              Lend this browser
            </ButtonLink>
          </div>
        </div>
        <Lanes progress={0.5} lanes={28} drifting className="h-[19rem] w-full sm:h-[23rem]" />
      </section>
    </div>
  );
}
