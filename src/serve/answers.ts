import { z } from 'zod';
import { ENGINES } from '../engine/engine.js';
import { MAX_INT } from './schemas.js';

/** What answers look like: for the OpenAPI document, and for tests to hold every answer against. */

const count = z.int().min(0);
const adapterId = z.int().min(0).max(MAX_INT);
const number = z.int().min(1).max(MAX_INT);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const moment = z.iso.datetime();

export const alive = z.strictObject({ alive: z.literal(true) });

export const readiness = z.strictObject({
  ready: z.boolean(),
  reasons: z.array(z.string()).describe('What stands in the way.'),
  warnings: z.array(z.string()).describe('What does not, and needs a look.'),
});

export const problemDocument = z
  .looseObject({
    type: z.string().describe('`urn:legonet:problem:` and the code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What to do; never what was sent.'),
    code: z.string().describe('Stable.'),
    problems: z
      .array(z.strictObject({ index: count, code: z.string(), detail: z.string() }))
      .optional()
      .describe('Of `invalid_events`: each event that cannot be taken.'),
    samples: z
      .array(z.string())
      .optional()
      .describe('Of `several_deleted`: the ids of the first hundred.'),
    total: z.int().optional().describe('Of `several_deleted`: how many there are.'),
  })
  .meta({ id: 'Problem', description: 'A problem document (RFC 9457).' });

const version = {
  version: number,
  parent: number.nullable(),
  modelDigest: digest,
  configDigest: digest,
  cut: z
    .record(z.string(), z.string())
    .describe('Partition to next position: all before it is reflected.'),
  rebuilt: z.array(adapterId).describe('Adapters built anew.'),
  carried: count.describe('How many adapters are those of the parent.'),
  deletions: z.array(z.string()).describe('Ids of the requests that this version applies.'),
  retained: count.describe('How many samples it reflects.'),
  createdAt: moment,
  publishedAt: moment.nullable(),
  retiredAt: moment.nullable(),
  retiredBy: number.nullable(),
};

export const listedVersion = z
  .strictObject(version)
  .meta({ id: 'Version', description: 'A model version.' });

export const wholeVersion = z
  .strictObject({
    ...version,
    weights: z.array(z.strictObject({ adapter: adapterId, digest })),
  })
  .meta({ id: 'VersionWithWeights', description: 'A model version and what it is made of.' });

const matrix = z
  .strictObject({
    rows: number,
    columns: number,
    type: z.enum(['int8', 'float64']),
    digest,
  })
  .nullable();

const backend = z
  .record(z.string(), z.string().nullable())
  .describe('What softmax adapters are trained on; null for least-squares.');

export const modelDescription = z.strictObject({
  name: z.string(),
  configDigest: digest,
  configuration: z
    .record(z.string(), z.unknown())
    .describe('MODEL.json; the SHA-256 of its canonical JSON (RFC 8785) is the digest.'),
  backend: backend.nullable(),
  keys: matrix.describe('The matrix of keys, where a file has it.'),
  projection: matrix.describe('The projection, where there is one.'),
});

export const sampleReport = z.strictObject({
  sampleId: z.string(),
  state: z.enum(['retained', 'deleted', 'unknown']),
  adapters: z.array(adapterId).describe('Nearest first.'),
  firstVersion: number.nullable().describe('The first version whose training set held it.'),
  lastVersion: number.nullable(),
  requestId: z.string().nullable().describe('The request that deleted it.'),
});

export const adapterReport = z
  .strictObject({
    adapter: adapterId,
    members: count.nullable(),
    weightsDigest: digest.nullable(),
    version: number.nullable().describe('Built in.'),
    dirty: z.boolean().describe('Its members have changed since.'),
  })
  .meta({ id: 'Adapter' });

export const deletionReport = z
  .strictObject({
    requestId: z.string(),
    kind: z.enum(['sample', 'subject']),
    target: z.string(),
    reason: z.string().nullable(),
    requestedAt: moment.nullable(),
    receivedAt: moment,
    removed: count.describe('Retained samples that it removed.'),
    samples: z.array(z.string()).describe('All that it has deleted, late ones included.'),
    version: number.nullable().describe('The first without them.'),
    modelDigest: digest.nullable(),
    publishedAt: moment.nullable(),
  })
  .meta({ id: 'Deletion', description: 'A request for deletion and what became of it.' });

export const statusReport = z.strictObject({
  model: z.string().nullable(),
  configDigest: digest.nullable(),
  backend: backend.nullable(),
  engine: z
    .enum(ENGINES)
    .nullable()
    .describe('What TensorFlow runs on; null where nothing needs it.'),
  version: number.nullable(),
  modelDigest: digest.nullable(),
  retained: count,
  unplaced: count.describe(
    'Of these: keys are samples, and no build has found their adapters yet.',
  ),
  deleted: count,
  dirtyAdapters: count,
  deletionsWaiting: count,
  erasuresWaiting: count,
  erasuresOverdue: count,
  oldestErasureMs: z.number().nullable(),
  deadLetters: count,
  log: z
    .strictObject({ queued: count, size: count, signed: count })
    .describe('Entries of the audit log: waiting, in it, under the last signed checkpoint.'),
  stopped: z.array(
    z.strictObject({ id: count, partition: count, position: count, reason: z.string() }),
  ),
  roles: z.array(z.string()).describe('That some process has now.'),
  lag: count.describe('Records of the log that are not projected yet.'),
});

const adoption = z.strictObject({ subscriber: z.string(), version: number, adoptedAt: moment });

export const adopted = adoption.describe('When it was first said.');

export const adopters = z.strictObject({
  version: number,
  adopted: z.array(adoption).describe('Who uses it or a later one.'),
  behind: z.array(adoption).describe('Who was last heard of with an older one.'),
});

export const accepted = z.strictObject({
  ids: z.array(z.string()).describe('Of the events, in their order: they are in the log.'),
});

export const predicted = z.strictObject({
  version: number.describe('By which all of them are predicted.'),
  modelDigest: digest,
  predictions: z
    .array(
      z.strictObject({
        label: z
          .string()
          .nullable()
          .describe('Of the highest score; null if no activated adapter has members.'),
        scores: z.record(z.string(), z.number()).describe('By class.'),
        adapters: z.array(adapterId).describe('The activated ones, nearest first.'),
      }),
    )
    .describe('One for each encoding, in their order.'),
});

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const envelope = z
  .strictObject({
    payloadType: z.literal('application/vnd.in-toto+json'),
    payload: base64,
    signatures: z.array(
      z.strictObject({
        keyid: z
          .string()
          .regex(/^[0-9a-f]{8}$/)
          .describe('The id of the log’s key.'),
        sig: base64,
      }),
    ),
  })
  .meta({ id: 'Envelope', description: 'A DSSE envelope of an in-toto statement.' });

export const attestation = z.strictObject({
  unlearning: envelope.describe('Of what the version is free: `exact-unlearning/v1`.'),
  provenance: envelope.describe('How it was built: SLSA provenance v1.'),
});

/** The file, which has a schema of its own. */
export const certificate = z.unknown().meta({ id: 'DeletionCertificate' });
export const receipt = z.unknown().meta({ id: 'Receipt' });

export const logKey = z.strictObject({
  origin: z.string().describe('The log’s name.'),
  vkey: z.string().describe('The key in force.'),
  earlier: z.array(z.string()).describe('Those before it, oldest first.'),
  notice: z.string().describe('Why to take the key from somewhere else.'),
});

/** Bytes; OpenAPI 3.1 describes them by the content type alone. */
export const binary = z.unknown().meta({ type: 'string', format: 'binary' });
