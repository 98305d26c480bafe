import { equalBytes } from '../audit/bytes.js';
import { checkRotations, keysOf } from '../audit/certificate/keys.js';
import { openCheckpoint, signCheckpoint, type Trust } from '../audit/log/checkpoint.js';
import { formatVerifierKey, type VerifierKey, verifierOf } from '../audit/log/keys.js';
import { treeRoot } from '../audit/log/tile-proofs.js';
import { LegonetError } from '../errors.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { readKeys } from '../store/evidence.js';
import { type Head, lockHead, readHead, type Tree, tileReader } from '../store/tlog.js';
import { readSigningRecord, readTreeAndKey, recordFirstKey } from '../store/tlog-keys.js';
import { type Sequenced, sequence } from '../store/tlog-sequence.js';
import { fastSign } from './fast-sign.js';
import { SHARE_KEY, type Signer } from './signer.js';

/**
 * The signer, opened once. Opened again if it is told that its key is not the one in force any more.
 */
export type OpenSigner = (stale?: Signer) => Promise<Signer>;

/**
 * Puts what is queued into the log and signs how far it has come. Nothing is signed that does not extend
 * the checkpoint that is kept apart from the database. Returns who has signed. Throws `log_behind` or `log_forked` (stop) where
 * the database is not the one that was signed, `signing_key_unknown` (stop) for a key that is not the log's.
 */
export async function signLog(database: Database, open: OpenSigner): Promise<Signer> {
  const signer = await open();
  try {
    await inTurn(database, signer);
    return signer;
  } catch (error) {
    // The key may have been rotated since it was opened, or since its entry was looked for.
    if (!isAboutKeys(error)) throw error;
    const next = await open(signer);
    await inTurn(database, next);
    return next;
  }
}

const isAboutKeys = (error: unknown): boolean =>
  error instanceof LegonetError && ['signing_key_unknown', 'rotation_unsound'].includes(error.code);

/** One after the other: both loops of a publisher come here. */
function inTurn(database: Database, signer: Signer): Promise<void> {
  const { memory } = signer;
  const turn = memory.turn.then(() => bringAndSign(database, signer));
  memory.turn = turn.catch(() => {});
  return turn;
}

async function bringAndSign(database: Database, signer: Signer): Promise<void> {
  const sequenced = await sequence(database, signer.memory);
  if (!sequenced) {
    const { size, signedSize } = await readHead(database.pool);
    if (size === signedSize) return;
  }
  const work = async (client: Queryable) => {
    const extended = sequenced && (await extendsOwn(client, signer, sequenced));
    if (extended) return sign(client, signer, extended);
    const head = await lockHead(client);
    await checkHead(client, signer, head);
    return sign(client, signer, head);
  };
  await transaction(database.pool, work, LOCKED);
}

/**
 * Locked before anything is read: whoever rotates the key, or signs besides, waits. Should the server die
 * before it is on disk that this is signed, it is signed again: the checkpoint apart is on disk already.
 */
const LOCKED = `ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off;
  SELECT FROM tlog_head FOR UPDATE`;

/** The tree, if what this process has just appended to is the very one that it has signed last. */
async function extendsOwn(
  client: Queryable,
  { key, memory: { signed }, checkpoints }: Signer,
  { from, to }: Sequenced,
): Promise<Tree | null> {
  if (!signed || !isSame(from, signed) || (await checkpoints.read()) !== signed.note) return null;
  const now = await readTreeAndKey(client);
  return now && isSame(now, to) && now.vkey === formatVerifierKey(key) ? to : null;
}

const isSame = (a: Tree, b: Tree): boolean => a.size === b.size && equalBytes(a.root, b.root);

async function sign(client: Queryable, signer: Signer, { size, root }: Tree): Promise<void> {
  const { origin, key, checkpoints, memory } = signer;
  const note = signCheckpoint({ origin, size, root, extensions: [] }, [key], fastSign);
  // First apart: should the transaction fail, what is signed is in the log all the same.
  await checkpoints.write(note);
  memory.signed = { size, root, note };
  await client.query('UPDATE tlog_head SET signed_size = $1, checkpoint = $2', [size, note]);
}

/** Whether this signer may sign at this head, locked: the first key that ever comes becomes the log's. */
export async function checkHead(client: Queryable, signer: Signer, head: Head): Promise<void> {
  const { key, origin } = signer;
  if (!(await readSigningRecord(client))) {
    await recordFirstKey(client, { origin, vkey: formatVerifierKey(key) });
  }
  await checkSigned(client, signer, head);
}

/**
 * Whether the database is the one that was signed last, and the key the one in force. Throws what `signLog`
 * does; changes nothing.
 */
export async function checkSigned(client: Queryable, signer: Signer, head: Head): Promise<void> {
  const record = await readSigningRecord(client);
  const own = formatVerifierKey(signer.key);
  const { vkey, rotations } = await readKeys(client, head.size);
  const keys = record ? keysOf(vkey, rotations) : [];
  // First, and with our own key: an old backup may not know of it.
  const trust = {
    keys: [...keys, verifierOf(signer.key)],
    origin: record?.origin ?? signer.origin,
  };
  await checkExtends(client, signer, head, trust);
  if (!record) return;
  if (record.vkey !== own) throw unknownKey(own, record.vkey, keys);
  try {
    checkRotations(record.origin, own, rotations);
  } catch (cause) {
    throw unsoundRotation(`${cause instanceof Error ? cause.message : cause}`);
  }
  if (vkey !== own) throw unsoundRotation('no entry of the log says so');
}

function unknownKey(own: string, inForce: string, keys: readonly VerifierKey[]): LegonetError {
  const isOld = keys.some((key) => formatVerifierKey(key) === own);
  const remedy = isOld
    ? `it was rotated, and the key here is the one before: set LEGONET_SIGNING_KEY to the new one`
    : SHARE_KEY;
  return new LegonetError(
    'signing_key_unknown',
    `the audit log is signed by ${inForce}, and the key here is that of ${own}: ${remedy}`,
    'stop',
  );
}

const unsoundRotation = (reason: string) =>
  new LegonetError(
    'rotation_unsound',
    `the audit log's key on record was not put in force by the one before it: ${reason}`,
    'stop',
  );

async function checkExtends(
  client: Queryable,
  { checkpoints }: Signer,
  head: Head,
  trust: Trust,
): Promise<void> {
  const note = (await checkpoints.read()) ?? head.checkpoint;
  if (note === null) return;
  const last = openLast(note, trust, checkpoints.name);
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

function openLast(note: string, trust: Trust, name: string) {
  try {
    return openCheckpoint(note, trust);
  } catch (cause) {
    if (!(cause instanceof LegonetError)) throw cause;
    throw new LegonetError(
      'checkpoint_unreadable',
      `${name} is not a checkpoint of this log, signed by a key of it: it is damaged, or another log's`,
      'stop',
      { cause },
    );
  }
}
