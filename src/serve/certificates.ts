import { z } from 'zod';
import { LegonetError } from '../errors.js';
import { id } from '../events/schemas.js';
import { readAttestation } from '../store/attestation.js';
import { certificateOf } from '../store/certificates.js';
import type { Queryable } from '../store/database.js';
import { readDeletedSamples } from '../store/evidence.js';
import { receiptOf } from '../store/receipts.js';
import { json, text } from './answer.js';
import * as answers from './answers.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';
import { versionNumber } from './schemas.js';

/** Samples that a problem names. */
const NAMED = 100;

/** What proves a deletion, and what is attested of a version. */
export const certificateRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/deletions/:id/certificate',
    summary: 'The deletion certificate of a sample',
    description:
      'Of the sample that the request has deleted; of which one, where it has deleted several, `sample` says.',
    scopes: ['audit'],
    params: z.object({ id }),
    query: z.strictObject({ sample: id.optional().describe('Its id.') }),
    answers: {
      200: {
        description: 'One file, to be kept as it is: it is verified offline, byte for byte.',
        headers: { 'content-disposition': 'A name for the file.' },
        content: { 'application/json': answers.certificate },
      },
    },
    problems: {
      404: 'no_deletion, nothing_deleted',
      409: 'several_deleted',
      503: 'certificate_not_ready',
    },
    handle: async ({ params, query: { sample } }, { database }) => {
      const query = { requestId: params.id, sampleId: sample };
      const file = await certificateOf(database, query).catch(async (error: unknown) => {
        throw await explained(database.pool, params.id, error);
      });
      const name = fileName(sample === undefined ? [params.id] : [params.id, sample]);
      const disposition = `attachment; filename="${name}"`;
      return text('application/json', file, { 'content-disposition': disposition });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/samples/:id/receipt',
    summary: 'The receipt of a live sample',
    description:
      'What opens its commitment, and that the log has it. It holds the sample itself: keep it as the sample is kept.',
    scopes: ['audit'],
    params: z.object({ id }),
    answers: {
      200: {
        description: 'One file, to be kept as it is. Gone for good once the sample is deleted.',
        headers: { 'content-disposition': 'A name for the file.' },
        content: { 'application/json': answers.receipt },
      },
    },
    problems: { 404: 'no_sample', 410: 'sample_deleted', 503: 'receipt_not_ready' },
    handle: async ({ params }, { database }) => {
      const disposition = `attachment; filename="${fileName([params.id], 'receipt')}"`;
      const file = await receiptOf(database, params.id);
      return text('application/json', file, { 'content-disposition': disposition });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/versions/:version/attestation',
    summary: 'What is attested of a version',
    description:
      'DSSE envelopes of in-toto statements, signed by the log’s key: what the version is free of, and how it was built.',
    scopes: ['predict', 'audit'],
    params: z.object({ version: versionNumber }),
    answers: {
      200: { description: 'Both.', content: { 'application/json': answers.attestation } },
    },
    problems: { 404: 'no_version, no_attestation' },
    handle: async ({ params: { version } }, { database: { pool } }) => {
      const attestation = await readAttestation(pool, version);
      if (attestation) return json(attestation);
      if (attestation === undefined) {
        throw new HttpError('no_version', 404, `no version ${version}: see /v1/versions`);
      }
      const message = 'the version is not signed yet, or older than the audit log';
      throw new HttpError('no_attestation', 404, message);
    },
  }),
];

/** With the samples among which to choose. */
async function explained(client: Queryable, requestId: string, error: unknown): Promise<unknown> {
  if (!(error instanceof LegonetError) || error.code !== 'several_deleted') return error;
  const members = await readDeletedSamples(client, requestId, NAMED);
  return new HttpError(error.code, 409, error.message, { members });
}

/** Of characters that mean nothing to any file system or header. */
function fileName(parts: readonly string[], what = 'certificate'): string {
  const safe = parts.map((part) => part.replaceAll(/[^A-Za-z0-9_-]+/g, '_').slice(0, 64));
  return `${[what, ...safe].join('-')}.json`;
}
