/** Prefixed, branded ids: a job's id can never be passed where a model's is wanted. */
import { z } from "zod";

/** 20 characters of Crockford's base32 in lower case: 100 bits, unguessable and readable aloud. */
const TAIL = "[0-9a-hjkmnp-tv-z]{20}";

const id = <Prefix extends string>(prefix: Prefix) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_${TAIL}$`), `an id like ${prefix}_… is wanted here`)
    .brand<Prefix>();

export const FileId = id("file");
export const ModelId = id("mdl");
export const DatasetId = id("dst");
export const JobId = id("job");
export const StageId = id("stg");
export const MicrotaskId = id("mt");
export const LeaseId = id("ls");
export const DonorId = id("don");
export const TenantId = id("ten");
export const ApiKeyId = id("key");
/** A partner's site, and the public key that its pages carry. */
export const SiteId = id("site");
export const SiteKey = id("pk");
export const GroupId = id("grp");
/** A person who donates under a key pair of their own (donor-identity.ts). */
export const VolunteerId = id("vol");
export const TeamId = id("team");
/** Lets its holder into a private group or a team. */
export const JoinToken = id("join");
export const UserId = id("usr");
export const SessionId = id("ses");
export const WebhookId = id("whk");
export const DeliveryId = id("whd");

export type FileId = z.infer<typeof FileId>;
export type ModelId = z.infer<typeof ModelId>;
export type DatasetId = z.infer<typeof DatasetId>;
export type JobId = z.infer<typeof JobId>;
export type StageId = z.infer<typeof StageId>;
export type MicrotaskId = z.infer<typeof MicrotaskId>;
export type LeaseId = z.infer<typeof LeaseId>;
export type DonorId = z.infer<typeof DonorId>;
export type TenantId = z.infer<typeof TenantId>;
export type ApiKeyId = z.infer<typeof ApiKeyId>;
export type SiteId = z.infer<typeof SiteId>;
export type SiteKey = z.infer<typeof SiteKey>;
export type GroupId = z.infer<typeof GroupId>;
export type VolunteerId = z.infer<typeof VolunteerId>;
export type TeamId = z.infer<typeof TeamId>;
export type JoinToken = z.infer<typeof JoinToken>;
export type UserId = z.infer<typeof UserId>;
export type SessionId = z.infer<typeof SessionId>;
export type WebhookId = z.infer<typeof WebhookId>;
export type DeliveryId = z.infer<typeof DeliveryId>;

/** SHA-256 of an immutable artefact (model, program, stage spec), in lower-case hex. */
export const Digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "a SHA-256 digest in lower-case hex is wanted here")
  .brand<"Digest">();
export type Digest = z.infer<typeof Digest>;

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

interface IdTypes {
  file: FileId;
  mdl: ModelId;
  dst: DatasetId;
  job: JobId;
  stg: StageId;
  mt: MicrotaskId;
  ls: LeaseId;
  don: DonorId;
  ten: TenantId;
  key: ApiKeyId;
  site: SiteId;
  pk: SiteKey;
  grp: GroupId;
  vol: VolunteerId;
  team: TeamId;
  join: JoinToken;
  usr: UserId;
  ses: SessionId;
  whk: WebhookId;
  whd: DeliveryId;
}

/**
 * Makes an id from 20 random bytes (five bits of each are used).
 * @param random20 20 bytes from a cryptographic source
 */
export function makeId<Prefix extends keyof IdTypes>(prefix: Prefix, random20: Uint8Array): IdTypes[Prefix] {
  let tail = "";
  for (let i = 0; i < 20; i++) tail += ALPHABET[(random20[i] ?? 0) & 31];
  return `${prefix}_${tail}` as IdTypes[Prefix];
}
