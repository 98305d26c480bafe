import { z } from 'zod';

/*
 * What scripts rely on, written from the contract and not from the code. More fields are welcome.
 */

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const version = z.int().min(1);
const adapter = z.int().min(0);
const time = z.iso.datetime();

export const versionSchema = z.object({
  version,
  parent: version.nullable(),
  modelDigest: digest,
  configDigest: digest,
  cut: z.record(z.string(), z.union([z.string(), z.number()])),
  rebuilt: z.array(adapter),
  carried: z.int(),
  deletions: z.array(z.string()),
  publishedAt: time.nullable(),
  retiredAt: time.nullable(),
});

export const contract = {
  status: z.object({
    model: z.string(),
    configDigest: digest,
    version: version.nullable(),
    modelDigest: digest.nullable(),
    retained: z.int(),
    deleted: z.int(),
    dirtyAdapters: z.int(),
    lag: z.int(),
  }),
  versions: z.array(versionSchema),
  sample: z.object({
    sampleId: z.string(),
    state: z.enum(['retained', 'deleted', 'unknown']),
    adapters: z.array(adapter),
    firstVersion: version.nullable(),
    lastVersion: version.nullable(),
  }),
  adapter: z.object({ adapter, members: z.int(), weightsDigest: digest, version }),
  delete: z.object({
    requestId: z.string(),
    samples: z.array(z.string()),
    version,
    modelDigest: digest,
    rebuilt: z.array(adapter),
    elapsedMs: z.number().positive(),
    certificates: z.array(z.string()),
  }),
  rebuild: z.object({ modelDigest: digest, published: digest.nullable(), equal: z.boolean() }),
  predict: z.array(
    z.object({
      label: z.string().nullable(),
      scores: z.record(z.string(), z.number()),
      adapters: z.array(adapter),
    }),
  ),
  deadLetters: z.array(
    z.object({ id: z.int(), code: z.string(), reason: z.string(), position: z.string() }),
  ),
};
