import type { PoolClient } from 'pg';
import type { Database } from '../store/database.js';
import { type AuditedVersion, auditedVersion, listingOf } from '../store/listing.js';
import * as answers from './answers.js';
import { type Route, route } from './route.js';

/** A listing of millions takes longer than any other query may; one that nobody reads on is cut off before. */
const OPENING = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '30min'`;

/** What level 2 of a verification needs: which sample is in which adapter. For auditors alone. */
export const listingRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/versions/latest/listing',
    summary: 'The listing of the version in service, for auditors',
    description:
      'Commitments of all retained samples and the adapters of each, as `legonet verify --listing` reads it.',
    scopes: ['audit'],
    answers: {
      200: {
        description: 'Of one moment. Kept by nobody in between.',
        headers: {
          'content-disposition': 'A name for the file.',
          'legonet-version': 'The version that it is of.',
        },
        content: { 'application/octet-stream': answers.binary },
      },
    },
    problems: { 404: 'no_version', 503: 'listing_not_ready' },
    handle: async (_, { database }) => {
      const { version, listing } = await openListing(database);
      return {
        status: 200,
        headers: {
          'content-type': 'application/octet-stream',
          'content-disposition': `attachment; filename="version-${version}.listing"`,
          'legonet-version': String(version),
        },
        body: ReadableStream.from(listing),
      };
    },
  }),
];

/** Throws what `auditedVersion` does, before anything is sent. */
async function openListing({ pool }: Database) {
  const client = await pool.connect();
  try {
    await client.query(OPENING);
    const audited = await auditedVersion(client);
    return { version: audited.version, listing: read(client, audited) };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** Ends with its connection if the reader goes away: a COPY cannot be left half read. */
async function* read(client: PoolClient, version: AuditedVersion): AsyncGenerator<Uint8Array> {
  let whole = false;
  try {
    yield* listingOf(client, version);
    await client.query('COMMIT');
    whole = true;
  } finally {
    client.release(!whole);
  }
}
