import { Lanes } from "./components/lanes.tsx";

export const metadata = { title: "Nothing here" };

export default function NotFound() {
  return (
    <div className="mx-auto max-w-3xl px-4 pt-20 sm:px-6">
      <Lanes progress={0.12} lanes={7} className="h-16 w-full" />
      <h1 className="mt-8 text-[2rem]">There is nothing at this address</h1>
      <p className="mt-3 text-ink-2">
        The link may be old, or the thing belongs to another account. Go to the{" "}
        <a className="link" href="/dashboard">
          dashboard
        </a>{" "}
        or{" "}
        <a className="link" href="/">
          start over
        </a>
        .
      </p>
    </div>
  );
}
