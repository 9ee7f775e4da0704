/**
 * Every bound that a stranger can meet, in one place, with its unit in the name and its reason beside it.
 * The docs list this file; a limit that is not here does not exist.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** The donor socket. */
export const SOCKET_LIMITS = {
  /** One packed payload or result: large enough to keep a fast donor busy, small enough not to block control messages. */
  payloadBytes: 4 * MiB,
  /** A frame is one payload plus its JSON envelope. */
  frameBytes: 4 * MiB + 64 * KiB,
  /** Payloads up to this ride inside the lease answer and save a round trip. */
  inlinePayloadBytes: 1 * MiB,
  /** A socket that does not drain is a memory leak that a stranger controls. */
  writeBufferBytes: 16 * MiB,
  writeBufferStallMs: 30_000,
  /** One household behind one address has some tabs; a lab is served by raising this. */
  socketsPerAddress: 64,
  handshakesPerSecondPerAddress: 32,
  /** A donor has one bundle in work and one fetched ahead. */
  bundlesPerDonor: 3,
  leasesPerBundle: 64,
  /** Malformed or out-of-order events before the socket is closed. */
  offencesBeforeDisconnect: 5,
  /** How long a lease request may wait for work before it is answered "wait". */
  longPollMs: 25_000,
  /** Digests a donor may say it has cached. */
  cachedDigests: 256,
} as const;

/** Microtasks and leases. */
export const LEASE_LIMITS = {
  /** What a microtask may take on the device that gets it. */
  microtaskMs: 3_000,
  leaseMsMin: 5_000,
  leaseMsMax: 120_000,
  /** A microtask that keeps failing is set aside so that the rest of the job goes on. */
  attemptsBeforeQuarantine: 5,
} as const;

/** Partners' sites, private groups, and what is shown of donors. */
export const PARTNER_LIMITS = {
  originsPerSite: 20,
  sitesPerTenant: 100,
  groupsPerTenant: 100,
} as const;

/** Uploads and the REST interface. */
export const UPLOAD_LIMITS = {
  /** A multipart upload is held in flight by one request; larger files resume through /uploads. */
  multipartBytes: 256 * MiB,
  uploadBytes: 8 * GiB,
  jsonBodyBytes: 1 * MiB,
  jsonDepth: 16,
  filesPerTenant: 10_000,
  bytesPerTenant: 64 * GiB,
  jobsPerTenant: 10_000,
  idempotencyKeyChars: 255,
  metadataEntries: 16,
  metadataChars: 512,
} as const;

/** Jobs in their submitters' custody: ciphertexts that are uploaded. */
export const CUSTODY_LIMITS = {
  /** Lost at most when a connection breaks; a batch of 784 values a record has about twenty. */
  partBytes: 4 * MiB,
  /** One that is encrypted, one with donors, one that is decrypted. */
  openBatchesPerJob: 3,
  /** Ciphertexts of all jobs together. */
  diskBytes: 16 * GiB,
  /** Keys that one batch may be tried under: after that its key-holder is at fault. */
  generations: 8,
} as const;

/** Accounts of people. */
export const ACCOUNT_LIMITS = {
  /** Long beats complicated (NIST SP 800-63B); the upper bound keeps hashing cheap for us. */
  passwordCharsMin: 10,
  passwordCharsMax: 128,
  sessionSeconds: 30 * 24 * 3600,
  keysPerTenant: 100,
  webhooksPerTenant: 20,
  /** Jobs of one account that have not ended: more would only wait behind each other. */
  concurrentJobsPerTenant: 100,
} as const;

/** Requests in a window of `perSeconds`; counted for each API key or session, or for each address where there is neither. */
export const RATE_LIMITS = {
  /** A page or program that watches some jobs, each twice a second. */
  read: { requests: 2_400, perSeconds: 60 },
  write: { requests: 1_200, perSeconds: 60 },
  /** What starts a thread or a plan: inspecting models, reading datasets, planning jobs. */
  heavy: { requests: 240, perSeconds: 60 },
  /** Without a key or session, or with a wrong one: an address may be a whole school. */
  open: { requests: 600, perSeconds: 60 },
  /** Signing in and up, and asking for a new password, by address. Hashing a password takes 50 ms of a core. */
  signIn: { requests: 30, perSeconds: 60 },
  /** For one e-mail address, from wherever: no list of common passwords gets far. */
  signInPerEmail: { requests: 10, perSeconds: 600 },
} as const;

/** Webhooks. */
export const WEBHOOK_LIMITS = {
  urlChars: 2_048,
  /** Who takes longer is asked again later. */
  attemptMs: 10_000,
  /** Of the answer, which nobody reads. */
  answerBytes: 16 * KiB,
  /** Deliveries under way at a time, all together and for one account. */
  concurrent: 16,
  concurrentPerTenant: 4,
  /** An address that took nothing for this long is switched off, and its owner sees why. */
  failingMs: 5 * 24 * 3600 * 1000,
  /** Delivered and given up ones are kept this long for the log. */
  keptMs: 30 * 24 * 3600 * 1000,
} as const;

/** Labels and ratings that are sent back. */
export const FEEDBACK_LIMITS = {
  /** Of one request; it is held whole and applied at once. More goes in parts. */
  rows: 100_000,
  csvBytes: 4 * MiB,
  commentChars: 2_000,
  scoreMin: -100,
  scoreMax: 100,
} as const;

/** Models as files. */
export const MODEL_LIMITS = {
  modelBytes: 512 * MiB,
  graphNodes: 20_000,
  tensorElements: 128 * MiB,
  tensorRank: 8,
  nameChars: 512,
  /** Subgraphs inside subgraphs; real exporters stay below 4. */
  nesting: 8,
  /** Values of one record at one point of the network; a 1024² feature map of 16 channels. */
  valueElements: 16 * MiB,
  /** Weights in memory, where an 8-bit integer takes a double. */
  constantBytes: 1 * GiB,
  /** What folding constants inside a model may make: a few bytes of a file can ask for any amount. */
  foldedElements: 32 * MiB,
  /** Messages and unpacked fields of one protobuf file: decoded objects take some hundred bytes each. */
  protobufFields: 2_000_000,
  /** Packed lists become arrays of 8 to 24 bytes an element; weights belong in raw bytes. */
  protobufPackedBytes: 256 * MiB,
  /** A model's JSON: layers and names, no weights. */
  jsonBytes: 32 * MiB,
  jsonDepth: 64,
  kerasLayers: 4_000,
  /** TensorFlow functions that call functions; SavedModels of Keras stay below 10. */
  functionDepth: 32,
  /** What a zip may unpack to, relative to its size: float weights hardly compress; deflate reaches 1032 on zeros. */
  zipRatio: 100,
  /** Files of one model: shards, variables, assets. */
  files: 1_000,
} as const;

/** Datasets as files. */
export const DATASET_LIMITS = {
  records: 50_000_000,
  columns: 65_536,
  /** Values of one array in one record: a 2048 × 2048 RGB image; five of them are previewed. */
  recordElements: 16 * MiB,
  /** Of one array, as stored: what one job may occupy on the coordinator's disk. */
  normalisedBytes: 32 * GiB,
  /** NumPy headers are some hundred bytes; structured dtypes, which are refused, make the long ones. */
  npyHeaderBytes: 64 * KiB,
  /** 784 columns in a hundred row groups take 12 MiB; the parser makes objects of it. */
  parquetMetadataBytes: 16 * MiB,
  parquetMetadataValues: 4_000_000,
  /** Writers cut pages at 1 MiB; a page is unpacked whole. */
  parquetPageBytes: 64 * MiB,
  parquetPageValues: 4 * MiB,
  /** Values that one byte of a Parquet file may stand for: run lengths reach any number, real columns stay below 100. */
  parquetValuesPerByte: 1_024,
  /** Arrays in Fortran order up to this size are held whole; larger ones are gathered from the file in long runs. */
  heldBytes: 128 * MiB,
  /** Ids are carried over into every results format. */
  idBytes: 1_024,
  lineBytes: 16 * MiB,
  jsonDepth: 16,
  arrays: 64,
  /** Of one column; each may become a feature. */
  categories: 65_536,
  categoryChars: 512,
  zipEntries: 200_000,
  /** Deflate reaches 1032:1 on zeros; real data stays far below this. */
  zipRatio: 200,
  /** Below this the ratio is not judged: a small file of zeros is no attack. */
  unpackedBytesFree: 16 * MiB,
  /** Of what a gzip or zip unpacks to, all together. */
  unpackedBytes: 64 * GiB,
  /** Of one packed image; it is held whole. */
  imageBytes: 64 * MiB,
  /** A 40-megapixel photo; as a progressive JPEG it takes 160 MB to decode. */
  imagePixels: 40 * MiB,
  imageSidePixels: 16_384,
  /** Of one feedback request; it is held whole and applied at once. */
  feedbackRows: 1_000_000,
  /** Of one record: each is computed on its own. */
  segments: 4_096,
  previewRecords: 5,
  /** Of one array in a preview: a 32 × 32 grey image whole. */
  previewValues: 1_024,
} as const;
