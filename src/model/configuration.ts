import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { LegonetError } from '../errors.js';

/** Limits on a model, each one checked before anything is built. */
export const LIMITS = {
  dimension: 4096,
  adapters: 10_000,
  classes: 1000,
  /** Units (words or characters) of a text's n-gram. */
  gramLength: 8,
  /** Pixels, of what an image is resized to. */
  imageSide: 1024,
  steps: 100_000,
  batch: 100_000,
} as const;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 digest: 64 lower-case hex digits');
const pinnedFile = { file: z.string().min(1), sha256 };
const finite = z.number();
const numberOrVector = z.union([finite, z.array(finite).min(1)], {
  error: 'a number, or a list with one for each dimension',
});
/** Text that UTF-8 can carry: lone surrogates would all be hashed as the same replacement character. */
const text = z.string().regex(/^\P{Surrogate}*$/u, 'well-formed Unicode');

const seed = z.union([text.min(1), z.int()], { error: 'a text or a whole number' });

/** How an encoder's numbers become int8. */
const quantised = {
  dimension: z.int().min(1).max(LIMITS.dimension),
  scale: finite.positive(),
  transform: z.enum(['none', 'sqrt']).optional(),
  projection: z.strictObject({ ...pinnedFile, offset: z.boolean().optional() }).optional(),
};

const gramLength = z.int().min(1).max(LIMITS.gramLength);
const side = z.int().min(1).max(LIMITS.imageSide);

const encoder = z.discriminatedUnion('kind', [
  /** Events bring encodings. */
  z.strictObject({ kind: z.literal('identity'), ...quantised }),
  /** Counts of a text's n-grams, at their hashes. */
  z
    .strictObject({
      kind: z.literal('hashing-text'),
      ...quantised,
      analyzer: z.enum(['word', 'char', 'char_wb']),
      ngrams: z.tuple([gramLength, gramLength]).optional(),
      lowercase: z.boolean().optional(),
      alternateSign: z.boolean().optional(),
      norm: z.enum(['none', 'l2']).optional(),
    })
    .refine(({ ngrams: [least, most] = [1, 1] }) => least <= most, {
      path: ['ngrams'],
      message: 'the least length first, then the greatest',
    })
    .refine(({ transform, alternateSign }) => transform !== 'sqrt' || alternateSign === false, {
      path: ['transform'],
      message: 'sqrt takes no negative counts: set alternateSign to false',
    }),
  /** What a layer of a TensorFlow.js model makes of an image. */
  z.strictObject({
    kind: z.literal('tfjs'),
    ...pinnedFile,
    layer: text.min(1).max(256),
    input: z.strictObject({ width: side, height: side }),
    pixels: z.strictObject({ divisor: finite.positive(), offset: finite }),
    ...quantised,
  }),
]);

const keys = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('reference'), ...pinnedFile }),
  z.strictObject({
    kind: z.literal('random'),
    seed,
    center: numberOrVector.optional(),
    spread: numberOrVector.optional(),
  }),
  z.strictObject({ kind: z.literal('anchors'), seed }),
]);

const adapter = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('least-squares'), lambda: finite.positive() }),
  z.strictObject({
    kind: z.literal('softmax'),
    steps: z.int().min(1).max(LIMITS.steps),
    // Beyond 4, gradient descent may diverge on some members: docs/exactness.md.
    learningRate: finite.positive().max(4),
    momentum: finite.min(0).max(0.99).optional(),
    seed,
    batch: z.int().min(1).max(LIMITS.batch).optional(),
  }),
]);

/** MODEL.json, as its author wrote it. Defaults are applied where they are used. */
export const modelConfiguration = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'letters, digits, ". _ -"'),
    classes: z.array(text.min(1).max(256)).min(2).max(LIMITS.classes),
    encoder,
    keys,
    adapters: z.int().min(1).max(LIMITS.adapters),
    activated: z.int().min(1),
    adapter,
  })
  .refine((c) => c.activated <= c.adapters, {
    path: ['activated'],
    message: 'at most the number of adapters',
  })
  .refine((c) => new Set(c.classes).size === c.classes.length, {
    path: ['classes'],
    message: 'each class once',
  });

export type ModelConfiguration = Readonly<z.infer<typeof modelConfiguration>>;
export type AdapterSettings = Readonly<ModelConfiguration['adapter']>;
export type SoftmaxSettings = Extract<AdapterSettings, { kind: 'softmax' }>;

/**
 * Reads MODEL.json. Throws `invalid_model` naming the field and what was expected.
 */
export function parseConfiguration(json: unknown): ModelConfiguration {
  const result = modelConfiguration.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'MODEL.json';
  throw new LegonetError('invalid_model', `${where}: ${issue?.message ?? 'not valid'}`);
}

/**
 * The smallest lambda for which Cholesky cannot fail on a system of `unknowns` equations, whatever
 * the members: Higham, Accuracy and Stability (2002), theorem 10.7; worked out in docs/exactness.md.
 */
export function smallestLambda(unknowns: number): number {
  return unknowns * (unknowns + 2) ** 2 * 2 ** -52;
}

/** SHA-256, hex, of the configuration's canonical JSON (RFC 8785); files enter by their digest. */
export const configurationDigest = (configuration: ModelConfiguration): string =>
  canonicalDigest(configuration);

/** The same of the encoder alone: what a raw input becomes depends on nothing else. */
export const encoderDigest = ({ encoder }: ModelConfiguration): string => canonicalDigest(encoder);

function canonicalDigest(json: unknown): string {
  const byDigest = JSON.parse(JSON.stringify(json), (key, value) =>
    key === 'file' ? undefined : value,
  );
  const canonical = canonicalize(byDigest) ?? '';
  return createHash('sha256').update(canonical, 'utf8').digest('hex');
}
