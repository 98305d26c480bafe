import * as z from 'zod';
import { LegonetError } from '../errors.js';
import { toHex } from './bytes.js';
import { canonicalBytes } from './json.js';

/*
 * in-toto statements (https://github.com/in-toto/attestation, spec/v1) of a model version. Payloads are the
 * RFC 8785 form: whoever has the fields has the bytes.
 */

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const UNLEARNING = 'https://legonet.dev/exact-unlearning/v1';
export const PROVENANCE = 'https://slsa.dev/provenance/v1';
export const BUILD_TYPE = 'https://legonet.dev/build/v1';

/** Versions `first` to `last` are out of service since `retiredAt` (RFC 3339, UTC). */
export type Retirement = {
  readonly first: number;
  readonly last: number;
  readonly retiredAt: string;
};

/** What a version is, by the one who built it. Digests and roots have 32 bytes. */
export type Unlearning = {
  /** The model's name, and the version's digest. */
  readonly name: string;
  readonly model: Uint8Array;
  readonly version: number;
  readonly parent: number | null;
  /** Partition to next position: all before it is reflected. */
  readonly cut: Readonly<Record<string, string>>;
  readonly config: Uint8Array;
  readonly code: Uint8Array;
  readonly adapters: { readonly root: Uint8Array; readonly count: number };
  readonly retained: { readonly root: Uint8Array; readonly count: number };
  /** How many requests were applied since the parent. */
  readonly deletions: number;
  /** Leaf hash of the train-intent. */
  readonly intent: Uint8Array;
  /** What this version takes out of service. */
  readonly retires: readonly Retirement[];
};

export type Provenance = Pick<
  Unlearning,
  'name' | 'model' | 'version' | 'parent' | 'cut' | 'config' | 'code' | 'intent' | 'retained'
> & {
  /** Who builds: a URI, and the version of Legonet. */
  readonly builder: { readonly id: string; readonly version: string };
  readonly invocationId: string;
  /** RFC 3339, UTC. */
  readonly startedOn: string;
  readonly finishedOn: string;
  /** What softmax adapters are trained on: engine, versions, processor, probe. */
  readonly backend?: Readonly<Record<string, string | null>> | null;
};

/** Payload of the statement that a version was unlearned exactly. A function of the fields. */
export const unlearningPayload = (fields: Unlearning): Uint8Array =>
  payloadOf(fields, UNLEARNING, {
    version: fields.version,
    parent: fields.parent,
    cut: fields.cut,
    configuration: sha256Digest(fields.config),
    code: sha256Digest(fields.code),
    adapters: { count: fields.adapters.count, root: toHex(fields.adapters.root) },
    retained: { count: fields.retained.count, root: toHex(fields.retained.root) },
    deletions: fields.deletions,
    trainIntent: toHex(fields.intent),
    retires: fields.retires.map(({ first, last, retiredAt }) => ({ first, last, retiredAt })),
  });

/** Payload of the SLSA provenance of a version: https://slsa.dev/spec/v1.0/provenance. */
export const provenancePayload = (fields: Provenance): Uint8Array =>
  payloadOf(fields, PROVENANCE, {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: { model: fields.name, cut: fields.cut },
      internalParameters: {
        version: fields.version,
        parent: fields.parent,
        trainIntent: toHex(fields.intent),
        ...(fields.backend && { backend: fields.backend }),
      },
      resolvedDependencies: [
        { name: 'configuration', digest: sha256Digest(fields.config) },
        { name: 'code', digest: sha256Digest(fields.code) },
        // No SHA-256 of any bytes, but the root of docs/reference/audit-log.md: under a name of its own.
        { name: 'retained-set', digest: { legonetSetV1: toHex(fields.retained.root) } },
      ],
    },
    runDetails: {
      builder: { id: fields.builder.id, version: { legonet: fields.builder.version } },
      metadata: {
        invocationId: fields.invocationId,
        startedOn: fields.startedOn,
        finishedOn: fields.finishedOn,
      },
    },
  });

const sha256Digest = (digest: Uint8Array) => ({ sha256: toHex(digest) });

const payloadOf = (
  { name, model }: Pick<Unlearning, 'name' | 'model'>,
  predicateType: string,
  predicate: object,
): Uint8Array =>
  canonicalBytes({
    _type: STATEMENT_TYPE,
    subject: [{ name, digest: sha256Digest(model) }],
    predicateType,
    predicate,
  });

const statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(
      z.object({
        name: z.string().optional(),
        digest: z
          .record(z.string().min(1), z.string().regex(/^[0-9a-f]+$/))
          .refine((digests) => Object.keys(digests).length > 0, 'expected a digest'),
      }),
    )
    .min(1),
  predicateType: z.string().min(1),
  predicate: z.record(z.string(), z.unknown()).optional(),
});

export type Statement = Readonly<z.infer<typeof statement>>;

/**
 * Any in-toto statement v1, of whoever; fields that are not known are passed over, as in-toto asks. Given
 * `predicateType`, of that type only. Throws `invalid_statement`.
 */
export function parseStatement(payload: Uint8Array, predicateType?: string): Statement {
  const { data, error } = statement.safeParse(parsed(payload));
  if (!data) {
    const [issue] = error.issues;
    throw invalid(`${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'not valid'}`);
  }
  if (predicateType !== undefined && data.predicateType !== predicateType) {
    throw invalid(`its predicate is ${data.predicateType}, not ${predicateType}`);
  }
  return data;
}

function parsed(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw invalid('it is not JSON in UTF-8', { cause });
  }
}

const invalid = (message: string, options?: ErrorOptions): LegonetError =>
  new LegonetError(
    'invalid_statement',
    `not an in-toto statement: ${message}`,
    'terminal',
    options,
  );
