/** Five lanes, partly filled, and the name. */
const FILLS = [22, 14, 28, 18, 9];

export function Logo() {
  return (
    <span className="inline-flex items-center gap-2.5">
      <svg width="28" height="22" viewBox="0 0 28 22" aria-hidden="true">
        {FILLS.map((fill, lane) => (
          <g key={fill}>
            <rect x="0" y={lane * 5 + 0.5} width="28" height="1" fill="var(--line-strong)" />
            <rect x="0" y={lane * 5} width={fill} height="2" fill="var(--accent)" />
          </g>
        ))}
      </svg>
      <span className="text-[1.25rem] font-[680] tracking-[-0.02em]">flux</span>
    </span>
  );
}
