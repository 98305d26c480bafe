import { z } from 'zod';
import { inclusionProof } from '../audit/log/tile-proofs.js';
import { parseEntriesPath, parseTilePath } from '../audit/log/tiles.js';
import { formatTlogProof } from '../audit/log/tlog-proof.js';
import { readKeys } from '../store/evidence.js';
import { readSignedBundle, readSignedTile } from '../store/signed-log.js';
import { readHead, tileReader } from '../store/tlog.js';
import { type Answer, json, text } from './answer.js';
import * as answers from './answers.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';
import { entryIndex } from './schemas.js';

/** What is signed never changes, under any of its paths, and is for everybody. */
const FOR_EVER = 'public, max-age=31536000, immutable';

const NOTICE =
  'For convenience: whoever could forge the log could forge this answer too. Take the key that you verify ' +
  'with from somewhere else.';

const tileAnswers = {
  200: {
    description: 'It never changes.',
    headers: { 'cache-control': 'Immutable, for all caches.' },
    content: { 'application/octet-stream': answers.binary },
  },
};
const tileProblems = { 400: 'invalid_tile_path', 404: 'no_tile' };
const tree = (what: string) => z.object({ '*': z.string().describe(what) });

/** The audit log as C2SP tlog-tiles has it, for everybody, and as often as they ask. */
export const logRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/checkpoint',
    summary: 'The last signed checkpoint of the audit log',
    description: 'A signed note of C2SP tlog-checkpoint.',
    scopes: null,
    answers: {
      200: {
        description: 'It covers everything that is served of the log.',
        content: { 'text/plain': z.string() },
      },
    },
    problems: { 404: 'no_checkpoint' },
    handle: async (_, { database: { pool } }) => {
      const { checkpoint } = await readHead(pool);
      if (checkpoint === null) throw noCheckpoint();
      return text('text/plain; charset=utf-8', checkpoint, { 'cache-control': 'no-cache' });
    },
  }),
  route({
    method: 'GET',
    path: '/tile/entries/*',
    summary: 'Entries of the audit log, 256 to a bundle',
    description: 'C2SP tlog-tiles: each entry after its length in 2 bytes, big-endian.',
    scopes: null,
    params: tree('`<N>[.p/<W>]`, as `x001/x234/067.p/5`.'),
    answers: tileAnswers,
    problems: tileProblems,
    handle: async ({ params }, { database: { pool } }) =>
      immutable(await readSignedBundle(pool, parseEntriesPath(`tile/entries/${params['*']}`))),
  }),
  route({
    method: 'GET',
    path: '/tile/*',
    summary: 'Hashes of the audit log, 256 to a tile',
    description: 'C2SP tlog-tiles: SHA-256 hashes of RFC 6962, one after the other.',
    scopes: null,
    params: tree('`<L>/<N>[.p/<W>]`, as `0/x001/x234/067.p/5`.'),
    answers: tileAnswers,
    problems: tileProblems,
    handle: async ({ params }, { database: { pool } }) =>
      immutable(await readSignedTile(pool, parseTilePath(`tile/${params['*']}`))),
  }),
  route({
    method: 'GET',
    path: '/v1/log/proof/:index',
    summary: 'That an entry is in the audit log',
    description:
      'A c2sp.org/tlog-proof@v1 file: the inclusion proof and the last signed checkpoint.',
    scopes: null,
    params: z.object({ index: entryIndex }),
    answers: {
      200: {
        description: 'For any verifier of such files.',
        content: { 'text/plain': z.string() },
      },
    },
    problems: { 404: 'no_entry' },
    handle: async ({ params: { index } }, { database: { pool } }) => {
      const { checkpoint, signedSize } = await readHead(pool);
      if (checkpoint === null || index >= signedSize) {
        throw new HttpError('no_entry', 404, `the signed log has ${signedSize} entries`);
      }
      const hashes = await inclusionProof(index, signedSize, tileReader(pool));
      const proof = formatTlogProof({ extra: null, index, hashes, checkpoint });
      return text('text/plain; charset=utf-8', proof, { 'cache-control': 'no-cache' });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/log/key',
    summary: 'The audit log’s name and keys',
    description: NOTICE,
    scopes: null,
    answers: {
      200: {
        description: 'In the text form of Go’s sumdb/note.',
        content: { 'application/json': answers.logKey },
      },
    },
    problems: { 404: 'no_checkpoint' },
    handle: async (_, { database: { pool } }) => {
      const { checkpoint, signedSize } = await readHead(pool);
      if (checkpoint === null) throw noCheckpoint();
      const { vkey, rotations } = await readKeys(pool, signedSize);
      const [origin] = checkpoint.split('\n', 1);
      return json({ origin, vkey, earlier: rotations.map(({ from }) => from), notice: NOTICE });
    },
  }),
];

function immutable(body: Uint8Array | null): Answer {
  if (!body) {
    const message = 'the signed log has no such tile, or not so wide: see /checkpoint for its size';
    throw new HttpError('no_tile', 404, message);
  }
  const headers = { 'content-type': 'application/octet-stream', 'cache-control': FOR_EVER };
  return { status: 200, headers, body };
}

const noCheckpoint = () =>
  new HttpError('no_checkpoint', 404, 'nothing of the audit log is signed yet: try again later');
