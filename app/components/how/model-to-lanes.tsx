/** A network's layers on the left, what they become on the right: matrices of small integers, and squares. */

const LAYERS = [
  { from: "Conv 5×5", to: "25 × 5 integers, 169 places", kind: "affine" },
  { from: "x²", to: "square", kind: "square" },
  { from: "Dense 100", to: "845 × 100 integers", kind: "affine" },
  { from: "x²", to: "square", kind: "square" },
  { from: "Dense 10", to: "100 × 10 integers", kind: "affine" },
  { from: "Softmax", to: "after decryption, by the key’s holder", kind: "tail" },
] as const;

/** Lanes of a band; squares pinch them to one. */
const LINES = 9;
const ROW = 54;
const WIDTH = 150;

export function ModelToLanes() {
  return (
    <figure className="rounded-lg border border-line bg-raised p-5 sm:p-6">
      <div className="grid grid-cols-[5.2rem_minmax(4rem,1fr)_minmax(0,10.5rem)] gap-x-4 sm:gap-x-6">
        <ol className="contents">
          {LAYERS.map(({ from, to, kind }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its place
            <li key={index} className="contents">
              <span className="number self-center text-right text-[0.9rem]">{from}</span>
              <Band kind={kind} />
              <span className={`self-center text-[0.92rem] ${kind === "tail" ? "text-ink-3" : "text-ink-2"}`}>
                {to}
              </span>
            </li>
          ))}
        </ol>
      </div>
      <figcaption className="mt-4 border-t border-line pt-3 text-[0.92rem] text-ink-3">
        Batch norm, pooling by averages, padding and residual sums fold into the matrices beside them.
      </figcaption>
    </figure>
  );
}

function Band({ kind }: { kind: (typeof LAYERS)[number]["kind"] }) {
  return (
    <svg viewBox={`0 0 ${WIDTH} ${ROW}`} preserveAspectRatio="none" aria-hidden="true" className="h-[54px] w-full">
      {Array.from({ length: LINES }, (_, line) => (
        <path
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
          key={line}
          d={path(kind, line)}
          fill="none"
          vectorEffect="non-scaling-stroke"
          stroke={kind === "tail" ? "var(--line-strong)" : "var(--accent)"}
          strokeWidth={kind === "square" ? 2.2 : 1.3}
          strokeDasharray={kind === "tail" ? "2 3" : undefined}
        />
      ))}
    </svg>
  );
}

/** Matrices mix the lines, squares keep each for itself. */
function path(kind: (typeof LAYERS)[number]["kind"], line: number): string {
  const y = (at: number) => ((at + 0.5) * ROW) / LINES;
  if (kind !== "affine") return `M 0 ${y(line)} H ${WIDTH}`;
  const other = (line * 4 + 2) % LINES;
  return `M 0 ${y(line)} C ${WIDTH * 0.45} ${y(line)}, ${WIDTH * 0.55} ${y(other)}, ${WIDTH} ${y(other)}`;
}
