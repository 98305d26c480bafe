import { z } from 'zod';
import {
  decodeBase64,
  decodeEncoding,
  type EncodingData,
  NOT_BASE64,
  type Problem,
} from './encoding.js';
import type { Encoding, Input } from './event.js';
import { LIMITS } from './record.js';
import { parseTime } from './time.js';

const { idLength, labelLength, reasonLength, mediaTypeLength, encodingLength, recordBytes } =
  LIMITS;

/** Neither control characters, which logs and terminals act on, nor halves of a surrogate pair. */
const ID = `[^\\p{Cc}\\p{Cs}]{1,${idLength}}`;
const ID_EXPECTED = `expected 1 to ${idLength} characters, no control character among them`;

/** An event's, subject's or request's id, or a source. */
export const id = z.string().regex(new RegExp(`^${ID}$`, 'u'), ID_EXPECTED);

/** The prefix of an erasure's record key; a sample id that began so would look like one. */
export const SUBJECT_PREFIX = 'subject:';

export const sampleId = z
  .string()
  .regex(
    new RegExp(`^(?!${SUBJECT_PREFIX})${ID}$`, 'u'),
    `${ID_EXPECTED}, not beginning with "${SUBJECT_PREFIX}"`,
  );

type Issues = { issues: { push(issue: z.core.$ZodRawIssue): unknown } };

function reject(context: Issues, { code, message }: Problem, input: unknown): never {
  context.issues.push({ code: 'custom', params: { code }, message, input });
  return z.NEVER;
}

/** Microseconds since 1970, from RFC 3339. */
export const time = z
  .string()
  .transform((text, context): bigint => {
    const message = 'expected an RFC 3339 timestamp with its offset';
    return parseTime(text) ?? reject(context, { code: 'invalid_time', message }, text);
  })
  .meta({ format: 'date-time' });

const base64 = { type: 'string', contentEncoding: 'base64', minLength: 4 };

export const encoding = z
  .custom<EncodingData>()
  .transform((data, context): Encoding => {
    const decoded = decodeEncoding(data);
    return 'form' in decoded ? decoded : reject(context, decoded, data);
  })
  .meta({
    description: 'Numbers, or their bytes in base64: float32 little-endian, or int8 as quantised.',
    oneOf: [
      { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: encodingLength },
      { type: 'object', properties: { float32: base64 }, required: ['float32'] },
      { type: 'object', properties: { int8: base64 }, required: ['int8'] },
    ],
  });

// Searched, not matched: a match of a megabyte exhausts the expression's stack.
const wellFormed = z
  .string()
  .refine((text) => !/\p{Cs}/u.test(text), 'expected well-formed Unicode');

const bytes = z
  .string()
  .transform((text, context): Uint8Array => {
    const decoded = decodeBase64(text);
    // In a buffer of their own: they may be handed to another thread.
    return decoded ? new Uint8Array(decoded) : reject(context, NOT_BASE64, text);
  })
  .meta({ contentEncoding: 'base64' });

const text = z
  .object({ text: wellFormed.max(recordBytes) })
  .transform(({ text }): Input => ({ form: 'text', text }));

const media = z
  .object({
    mediaType: z
      .string()
      .max(mediaTypeLength)
      .regex(/^[\w.+-]+\/[\w.+-]+$/, 'expected a media type, as "image/png"'),
    base64: bytes,
  })
  .transform(({ mediaType, base64 }): Input => ({ form: 'media', mediaType, bytes: base64 }));

/** What an encoding is yet to be made from. */
export const input = z.union([text, media], 'expected {"text"} or {"mediaType", "base64"}');

const content = z
  .object({
    sampleId,
    label: z.string().min(1).max(labelLength),
    subjectId: id.optional(),
    encoding: encoding.optional(),
    salt: bytes
      .refine((salt) => salt.length === 32, 'expected 32 bytes')
      .optional()
      .describe('Random, known to nobody else: opens the commitment in the audit log.'),
    input: input.optional(),
  })
  .refine((data) => (data.encoding === undefined) !== (data.input === undefined), {
    message: 'expected one of encoding and input',
  })
  .meta({ oneOf: [{ required: ['encoding'] }, { required: ['input'] }] });

const request = {
  requestId: id.optional(),
  reason: z
    .string()
    .regex(
      new RegExp(`^[^\\u0000\\p{Cs}]{0,${reasonLength}}$`, 'u'),
      `expected at most ${reasonLength} characters, no NUL among them`,
    )
    .optional(),
  requestedAt: time.optional(),
};

const natural = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 digest, in lower-case hex');

export const sampleIngested = content.describe('A sample and its content.');
export const sampleCorrected = content.describe('Content that takes the place of a sample’s.');
export const sampleDeleted = z
  .object({ sampleId, ...request })
  .describe('A sample, gone for ever.');
export const subjectErased = z
  .object({ subjectId: id, ...request })
  .describe('All samples of a subject, also those that arrive late but are no later than this.');

export const versionPublished = z
  .object({
    model: z.string(),
    version: natural,
    parent: natural.nullable(),
    modelDigest: digest,
    configDigest: digest,
    cut: z
      .record(z.string().regex(/^\d+$/), z.string().regex(/^\d+$/))
      .describe('Partition to next position: all before it is reflected.'),
    rebuilt: z.array(natural).describe('Ids of the adapters built anew.'),
    carried: natural.describe('How many adapters are those of the parent.'),
    deletions: z.array(z.string()).describe('Ids of the requests that this version applies.'),
    retained: natural.describe('How many samples it reflects.'),
    weights: z.array(z.object({ adapter: natural, digest })),
  })
  .describe('A model version came into service.');

export const versionRetired = z
  .object({
    model: z.string(),
    version: natural,
    because: natural.describe('The version without the content that this one holds.'),
    erasedWeights: z.array(digest),
  })
  .describe('A model version is out of service and its superseded weights are erased.');

export const recordRejected = z
  .object({
    id: z.string().regex(/^\d+$/).describe('Of the dead letter.'),
    partition: natural,
    position: z.string().regex(/^\d+$/),
    code: z.string(),
    reason: z.string(),
    stopping: z.boolean().describe('Its partition stands still before it: it asks for a deletion.'),
  })
  .describe('A record of the sample events could not be applied; what it held is not told.');

/** Every event type and the schema of its data. */
export const EVENT_TYPES = {
  'legonet.sample.ingested.v1': sampleIngested,
  'legonet.sample.corrected.v1': sampleCorrected,
  'legonet.sample.deleted.v1': sampleDeleted,
  'legonet.subject.erased.v1': subjectErased,
  'legonet.model.version.published.v1': versionPublished,
  'legonet.model.version.retired.v1': versionRetired,
  'legonet.record.rejected.v1': recordRejected,
} as const;

export type EventType = keyof typeof EVENT_TYPES;

/** An event's data as it is written, and as it is read. */
export type DataOf<Type extends EventType> = z.input<(typeof EVENT_TYPES)[Type]>;
