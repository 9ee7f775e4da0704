import { ERROR_CODES } from "#lib/protocol/errors.ts";

export const metadata = { title: "Errors" };

export default function Errors() {
  return (
    <>
      <h1 className="text-[2.2rem]">Errors</h1>
      <p className="mt-3 max-w-3xl text-[1.08rem] text-ink-2">
        Every error is <code className="number text-[0.95rem]">application/problem+json</code> (RFC 9457). Match its{" "}
        <code className="number text-[0.95rem]">code</code>; show its{" "}
        <code className="number text-[0.95rem]">detail</code>, which says what happened and what to do.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard */}
      <section aria-label="Error codes" tabIndex={0} className="mt-8 overflow-x-auto">
        <table className="w-full text-left">
          <thead>
            <tr className="border-b border-line-strong text-[0.92rem] text-ink-3">
              <th className="py-2 pr-6 font-[500]">Code</th>
              <th className="py-2 pr-6 font-[500]">Status</th>
              <th className="py-2 pr-6 font-[500]">What it is</th>
              <th className="py-2 font-[500]">Again later?</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(ERROR_CODES).map(([code, { status, title, retryable }]) => (
              <tr key={code} id={code} className="border-b border-line target:bg-accent-wash">
                <td className="number py-2 pr-6 text-[0.92rem]">{code}</td>
                <td className="number py-2 pr-6 text-[0.92rem]">{status}</td>
                <td className="py-2 pr-6">{title}</td>
                <td className="py-2 text-ink-2">{retryable ? "may work" : "will not help"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}
