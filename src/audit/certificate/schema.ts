import * as z from 'zod';
import { LegonetError } from '../../errors.js';
import { parseCanonical } from '../json.js';
import { bytes, decimal, hash, hashes, natural, signature, text, time, uint32 } from './fields.js';

/*
 * The deletion certificate, a file in canonical JSON. Nothing in it is believed: every field goes into an
 * entry of the log, a proof or the signed statement, or is a constant. What follows from others is left out.
 */

export const CERTIFICATE_TYPE = 'legonet.deletion-certificate.v1';

/** Characters; far more than any certificate has. */
const MAX_LENGTH = 1_000_000;

/** What no certificate shows, in every certificate. */
export const NOT_SHOWN = [
  'that the server trained on no data that the log does not declare',
  'that the weights come from the sets that the log declares: to see that, train again',
  'that no copy of the sample is left elsewhere, or in other hands',
  'that times and erasures are as the server declares them',
] as const;

const request = z
  .strictObject({
    deadline: time,
    id: text,
    index: natural.describe('Of its delete entry in the log.'),
    kind: z.enum(['sample', 'subject']),
    loggedAt: time,
    requestedAt: time.nullable(),
    salt: hash.describe('Opens the request commitment of the delete entry.'),
    target: text,
  })
  .describe('Who asked for what, and when.');

const sample = z
  .strictObject({
    adapters: z.array(uint32).min(1).max(10_000).describe('Ids, nearest first.'),
    commitment: hash,
    membershipSalt: hash.describe('Opens the membership: the value of the sample in its sets.'),
  })
  .describe('The sample, by what the log says of it.');

const digests = {
  adapters: hash,
  deletions: uint32,
  model: hash,
  retained: natural,
  statement: hash,
  version: uint32,
};

/** What else a train-intent has than its version. */
const intent = { code: hash, intentIndex: natural, sets: hash };

const before = z
  .strictObject({
    ...digests,
    intent: hash,
    parent: hash.nullable(),
    presence: bytes.describe('In the retained set.'),
  })
  .describe('The last version that held the sample; its retained root follows from the proof.');

const parent = z
  .union([z.literal('before'), hash])
  .nullable()
  .describe('Leaf hash of its parent’s entry: "before" for that of the version so named.');

const ingested = z
  .strictObject({ index: natural })
  .describe('Its ingest entry, where no version ever held the sample.');

const applied = z
  .strictObject({
    ...digests,
    ...intent,
    index: natural,
    parent,
    retainedRoot: hash,
  })
  .describe('The first version without the sample, if it is not the one in service.');

const retirement = z.strictObject({ first: uint32, last: uint32, retiredAt: time });

const after = z
  .strictObject({
    absence: bytes.describe('From the retained set, without what is shared.'),
    adapters: z
      .strictObject({
        absence: z.array(bytes).describe('From the set of each.'),
        builtIn: z.array(uint32),
        count: uint32.min(1).max(10_000).describe('Of all adapters of the model.'),
        members: z.array(natural),
        proof: hashes.describe('That these are entries of the tree over all adapters.'),
        weights: hashes,
      })
      .describe('Those that held the sample, in the order of sample.adapters.'),
    ...intent,
    config: hash,
    cut: z.record(decimal, decimal),
    deletions: uint32,
    index: natural,
    model: hash,
    name: text,
    parent,
    parentVersion: uint32.nullable(),
    retained: natural,
    retires: z.array(retirement).max(100).describe('Versions that this one took out of service.'),
    shared: z
      .array(uint32)
      .max(256)
      .describe('Levels at which the siblings of before.presence are those of absence as well.'),
    signature: signature.describe('Over the statement of this version, by DSSE.'),
    version: uint32,
  })
  .describe('The version in service; its roots follow from the proofs.');

const erased = z
  .strictObject({
    index: natural,
    places: z.array(z.strictObject({ at: time, what: text })).max(100),
  })
  .describe('What was erased, and when.');

const rotation = z
  .strictObject({ from: text, index: natural, signature, to: text })
  .describe('By a key entry, the first key gave way to the second.');

const log = z.strictObject({
  checkpoint: z.string().max(4096).describe('A signed note with the log’s signature alone.'),
  proof: hashes.describe('That all entries named are in the log of this checkpoint.'),
  rotations: z.array(rotation).max(16).describe('Up to the key that signed the checkpoint.'),
});

export const certificate = z
  .strictObject({
    after,
    applied: applied.nullable(),
    before: before.nullable(),
    erased: erased.nullable().describe('Null while erasure is under way.'),
    ingested: ingested.nullable(),
    log,
    notShown: z.tuple([
      z.literal(NOT_SHOWN[0]),
      z.literal(NOT_SHOWN[1]),
      z.literal(NOT_SHOWN[2]),
      z.literal(NOT_SHOWN[3]),
    ]),
    origin: text.describe('Of the log.'),
    request,
    sample,
    type: z.literal(CERTIFICATE_TYPE),
  })
  .refine(({ before, ingested }) => (before === null) !== (ingested === null), {
    path: ['before'],
    error: 'expected one of before and ingested',
  })
  .refine(
    ({ before, applied, after }) =>
      ((applied ?? after).parent === 'before') === (before !== null) &&
      (applied === null || after.parent !== 'before'),
    { path: ['before'], error: 'expected the parent of the first version without the sample' },
  )
  .refine(
    ({ sample, after: { adapters } }) =>
      [adapters.absence, adapters.builtIn, adapters.members].every(
        ({ length }) => length === sample.adapters.length,
      ) && adapters.weights.length === 32 * sample.adapters.length,
    { path: ['after', 'adapters'], error: 'expected one of each for every adapter of the sample' },
  )
  .describe('Proof that a sample is in no training set of the model any more.');

/** Base64 read into bytes. */
export type Certificate = Readonly<z.output<typeof certificate>>;

/** As JSON has it. */
export type CertificateJson = z.input<typeof certificate>;

/** Reads the file. Throws `invalid_certificate`. */
export const parseCertificate = (text: string): Certificate =>
  parseFile(certificate, text, 'deletion certificate');

/** Reads canonical JSON of a schema. Throws `invalid_certificate`. */
export function parseFile<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  what: string,
): z.output<Schema> {
  const invalid = (reason: string, options?: ErrorOptions) =>
    new LegonetError('invalid_certificate', `not a ${what}: ${reason}`, 'terminal', options);
  if (text.length > MAX_LENGTH) throw invalid(`it has more than ${MAX_LENGTH} characters`);
  let json: unknown;
  try {
    json = parseCanonical(text);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : 'no JSON', { cause });
  }
  const { data, error } = schema.safeParse(json);
  if (error) {
    const [issue] = error.issues;
    throw invalid(`${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'not valid'}`);
  }
  return data;
}
