import { equalBytes } from '../audit/bytes.js';
import { openCheckpoint, signCheckpoint } from '../audit/log/checkpoint.js';
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from '../audit/log/keys.js';
import { treeRoot } from '../audit/log/tile-proofs.js';
import { LegonetError } from '../errors.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { type Head, lockHead, readHead, type Tree, tileReader } from '../store/tlog.js';
import { sequence } from '../store/tlog-sequence.js';
import { fastSign } from './fast-sign.js';
import type { Signer } from './signer.js';

/**
 * Puts what is queued into the log and signs how far it has come. Nothing is signed that does not extend
 * the checkpoint that is kept apart from the database. Throws `log_behind` or `log_forked` (stop) where
 * the database is not the one that was signed, `signing_key_unknown` (stop) for a key that is not the log's.
 */
export function signLog(database: Database, signer: Signer): Promise<void> {
  const { memory } = signer;
  // One after the other: both loops of a publisher come here.
  const turn = memory.turn.then(() => bringAndSign(database, signer));
  memory.turn = turn.catch(() => {});
  return turn;
}

async function bringAndSign(database: Database, signer: Signer): Promise<void> {
  const { memory, checkpoints } = signer;
  const sequenced = await sequence(database, memory);
  const { signed } = memory;
  // Where this process has signed the very tree that was appended to, it extends what was signed.
  if (sequenced && signed && isSame(sequenced.from, signed)) {
    if ((await checkpoints.read()) === signed.note) {
      if (await sign(database.pool, signer, sequenced.to)) return;
    }
  }
  if (!sequenced) {
    const { size, signedSize } = await readHead(database.pool);
    if (size === signedSize) return;
  }
  await transaction(database.pool, async (client) => {
    const head = await lockHead(client);
    const keys = await knownKeys(client, signer);
    await checkExtends(client, signer, head, keys);
    await sign(client, signer, head);
  });
}

const isSame = (a: Tree, b: Tree): boolean => a.size === b.size && equalBytes(a.root, b.root);

/** False if another key is in force. */
async function sign(client: Queryable, signer: Signer, { size, root }: Tree): Promise<boolean> {
  const { origin, key, checkpoints, memory } = signer;
  const note = signCheckpoint({ origin, size, root, extensions: [] }, [key], fastSign);
  // First apart: should the update fail, what is signed is in the log all the same.
  await checkpoints.write(note);
  const { rowCount } = await client.query(
    `UPDATE tlog_head SET signed_size = $1, checkpoint = $2
     WHERE $3 = (SELECT vkey FROM tlog_keys ORDER BY ordinal DESC LIMIT 1)`,
    [size, note, formatVerifierKey(key)],
  );
  memory.signed = rowCount === 1 ? { size, root, note } : null;
  return rowCount === 1;
}

/** The log's keys, the one in force first. The first that ever signs becomes the log's. */
async function knownKeys(client: Queryable, { key }: Signer): Promise<VerifierKey[]> {
  const own = formatVerifierKey(key);
  const read = () =>
    client.query<{ vkey: string }>('SELECT vkey FROM tlog_keys ORDER BY ordinal DESC');
  let { rows } = await read();
  if (rows.length === 0) {
    await client.query('INSERT INTO tlog_keys (vkey) VALUES ($1) ON CONFLICT DO NOTHING', [own]);
    ({ rows } = await read());
  }
  if (rows[0]?.vkey === own) return rows.map(({ vkey }) => parseVerifierKey(vkey));
  const isOld = rows.some(({ vkey }) => vkey === own);
  throw new LegonetError(
    'signing_key_unknown',
    isOld
      ? `the audit log's key was rotated to ${rows[0]?.vkey}: set LEGONET_SIGNING_KEY to the new one`
      : `the audit log is signed by ${rows[0]?.vkey}, not by ${own}: set LEGONET_SIGNING_KEY to the ` +
          'log’s key, or rotate to this one with `legonet keygen --rotate`',
    'stop',
  );
}

async function checkExtends(
  client: Queryable,
  { checkpoints, origin }: Signer,
  head: Head,
  keys: readonly VerifierKey[],
): Promise<void> {
  const note = (await checkpoints.read()) ?? head.checkpoint;
  if (note === null) return;
  const names = [origin, ...keys.map(({ name }) => name)];
  const last = openAny(note, keys, names, checkpoints.name);
  if (last.size > head.size) {
    throw new LegonetError(
      'log_behind',
      `a checkpoint of ${last.size} entries was signed (${checkpoints.name}), and the database has ` +
        `${head.size}: it is an old backup, or another database. Restore one that is newer`,
      'stop',
    );
  }
  const root = last.size === 0 ? last.root : await treeRoot(last.size, tileReader(client));
  if (Buffer.from(root).equals(last.root)) return;
  throw new LegonetError(
    'log_forked',
    `the first ${last.size} entries of the audit log are not those that were signed ` +
      `(${checkpoints.name}): the database was changed, or restored and gone on with`,
    'stop',
  );
}

function openAny(
  note: string,
  keys: readonly VerifierKey[],
  origins: readonly string[],
  name: string,
) {
  for (const origin of origins) {
    try {
      return openCheckpoint(note, { keys, origin });
    } catch (error) {
      if (!(error instanceof LegonetError)) throw error;
    }
  }
  throw new LegonetError(
    'checkpoint_unreadable',
    `${name} is not a checkpoint of this log, signed by a key of it: it is damaged, or another log's`,
    'stop',
  );
}
