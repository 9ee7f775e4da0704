/** The same lanes cut for three devices: runs of different lengths that take the same three seconds. */

const DEVICES = [
  { name: "A phone", lanes: 2, share: 0.12 },
  { name: "A laptop", lanes: 5, share: 0.45 },
  { name: "A desktop with a GPU", lanes: 9, share: 1 },
] as const;

/** What a job's page says when it waits; the words are the scheduler's. */
const REASONS = [
  "Waiting for a donor: none is online. Open /donate in a browser to lend one.",
  "The key-holder is encrypting the first batch; donors get it when it is ready.",
  "Waiting behind 2 jobs.",
];

export function ForDevices() {
  return (
    <figure className="rounded-lg border border-line bg-raised p-5 sm:p-6">
      <div className="grid gap-5">
        {DEVICES.map(({ name, lanes, share }, device) => (
          <div key={name} className="grid gap-1.5 sm:grid-cols-[8.5rem_minmax(0,1fr)_3.5rem] sm:items-center sm:gap-4">
            <span className="text-[0.95rem] text-ink-2">{name}</span>
            <svg
              viewBox={`0 0 100 ${lanes}`}
              preserveAspectRatio="none"
              aria-hidden="true"
              className="w-full"
              style={{ height: `${lanes * 9}px` }}
            >
              {Array.from({ length: lanes }, (_, lane) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a lane is its place
                <g key={lane}>
                  <rect x="0" y={lane + 0.45} width="100" height="0.1" fill="var(--line-strong)" />
                  <rect
                    className="device-lane"
                    x="0"
                    y={lane + 0.3}
                    width={100 * share}
                    height="0.4"
                    fill="var(--accent)"
                    style={{ animationDelay: `${-0.35 * ((lane * 0.618) % 1) - device * 0.2}s` }}
                  />
                </g>
              ))}
            </svg>
            <span className="number text-[0.9rem] whitespace-nowrap text-ink-3">≤ 3 s</span>
          </div>
        ))}
      </div>
      <figcaption className="mt-5 border-t border-line pt-4">
        <p className="text-[0.92rem] text-ink-3">What a job says when it waits:</p>
        <ul className="mt-2 grid gap-1.5">
          {REASONS.map((reason) => (
            <li key={reason} className="border-l-2 border-wait pl-3 text-[0.97rem]">
              {reason}
            </li>
          ))}
        </ul>
      </figcaption>
    </figure>
  );
}
