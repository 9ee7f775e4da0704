/**
 * What a donor's record says. Depends on audits alone: what was recomputed and matched, what was recomputed and did not.
 * Nothing about speed, presence or decrypted values enters.
 */

export interface AuditRecord {
  /** Results accepted after a check. */
  readonly accepted: number;
  /** Results that a check refused. */
  readonly refused: number;
}

/** A newcomer counts as one who had 19 of 20 results right; it fades as its own record grows. */
const PRIOR_RIGHT = 19;
const PRIOR_WRONG = 1;

/** Right results do not buy wrong ones: one refused result weighs like this many accepted ones. */
const WRONG_WEIGHT = 20;

/** Share of its results that are right, shrunk towards the newcomer's; 1 is spotless. */
export function reliability({ accepted, refused }: AuditRecord): number {
  return (accepted + PRIOR_RIGHT) / (accepted + PRIOR_RIGHT + PRIOR_WRONG + refused * WRONG_WEIGHT);
}

/** The wrong results that anybody may have: a browser's driver bug shows up as these, and then stays away. */
const FORGIVEN = 3;
/** Beyond them, one in this many. */
const FORGIVEN_SHARE = 1 / 500;

/** True when a donor has been wrong more often than faults explain. */
export function isBanned({ accepted, refused }: AuditRecord): boolean {
  return refused > FORGIVEN + accepted * FORGIVEN_SHARE;
}
