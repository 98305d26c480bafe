import { z } from 'zod';
import { LegonetError } from '../errors.js';
import { readEnvelope } from '../events/envelope.js';
import { EventError } from '../events/error.js';
import type { LogRecord } from '../events/record.js';
import { versionPublished, versionRetired } from '../events/schemas.js';
import { modelDigest } from '../model/digest.js';
import type { Model } from '../model/model.js';

/** A version and what it is made of; its digests fit together. */
export type Announcement = {
  readonly version: number;
  readonly modelDigest: string;
  /** Of each adapter's weights, in order of adapter. */
  readonly weights: readonly string[];
};

/** What the topic and the stream tell. */
export type News =
  | { readonly kind: 'published'; readonly announcement: Announcement }
  | {
      readonly kind: 'retired';
      readonly version: number;
      /** The version without the content that the retired one holds. */
      readonly because: number;
      readonly erasedWeights: readonly string[];
    };

/** A version as HTTP has it. */
const versionAnswer = versionPublished
  .pick({ version: true, modelDigest: true, configDigest: true, weights: true })
  .extend({ retiredAt: z.string().nullable() });

type Described = Omit<z.infer<typeof versionAnswer>, 'retiredAt'>;

/**
 * Reads an event of the model-versions topic; null for one of another model or type. Throws
 * `invalid_answer`, `model_changed`, `digest_mismatch`.
 */
export function readNews(
  model: Model,
  value: Uint8Array,
  headers: LogRecord['headers'] = {},
): News | null {
  const { type, data } = envelopeOf(value, headers);
  const { name } = model.configuration;
  if (type === 'legonet.model.version.published.v1') {
    const published = parse(versionPublished, data, type);
    if (published.model !== name) return null;
    return { kind: 'published', announcement: check(model, published) };
  }
  if (type !== 'legonet.model.version.retired.v1') return null;
  const { model: retiredModel, ...retired } = parse(versionRetired, data, type);
  return retiredModel === name ? { kind: 'retired', ...retired } : null;
}

/** Reads what /v1/versions/... answers, and whether the version is retired. Throws as `readNews`. */
export function readVersion(
  model: Model,
  answer: unknown,
): { readonly announcement: Announcement; readonly retired: boolean } {
  const version = parse(versionAnswer, answer, 'a version');
  return { announcement: check(model, version), retired: version.retiredAt !== null };
}

function envelopeOf(value: Uint8Array, headers: LogRecord['headers']) {
  try {
    const record = { partition: 0, position: 0n, key: null, value, headers, time: 0n };
    return readEnvelope(record, value);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw invalid('an event', error.message);
  }
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(what, `${issue?.path.join('.')}: ${issue?.message}`);
}

const invalid = (what: string, reason: string): LegonetError =>
  new LegonetError('invalid_answer', `${what} cannot be read: ${reason}`, 'retryable');

/** The list of weights is bound to the model digest, and that to the configuration. */
function check(model: Model, described: Described): Announcement {
  const { version, configDigest, weights } = described;
  if (configDigest !== model.digest) {
    throw new LegonetError(
      'model_changed',
      `version ${version} is of another configuration: open the subscriber again`,
    );
  }
  const digests = weights.map(({ digest }) => digest);
  const complete =
    digests.length === model.configuration.adapters &&
    weights.every(({ adapter }, i) => adapter === i);
  if (!complete || modelDigest(model.digest, digests) !== described.modelDigest) {
    throw new LegonetError(
      'digest_mismatch',
      `version ${version}: the digests of its weights do not give the model digest that it names`,
      'retryable',
    );
  }
  return { version, modelDigest: described.modelDigest, weights: digests };
}
