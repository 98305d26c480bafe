import { equalBytes } from '../audit/bytes.js';
import { checkRotations, keysOf } from '../audit/certificate/keys.js';
import { openCheckpoint, signCheckpoint } from '../audit/log/checkpoint.js';
import { formatVerifierKey, type VerifierKey, verifierOf } from '../audit/log/keys.js';
import { treeRoot } from '../audit/log/tile-proofs.js';
import { LegonetError } from '../errors.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { readKeys } from '../store/evidence.js';
import { type Head, lockHead, readHead, type Tree, tileReader } from '../store/tlog.js';
import { readSigningRecord, recordFirstKey } from '../store/tlog-keys.js';
import { type EdgeMemory, type Sequenced, sequence } from '../store/tlog-sequence.js';
import { fastSign } from './fast-sign.js';
import { SHARE_KEY, type Signer } from './signer.js';

/** The signer whose key is in force, as far as is known when it is asked. */
export type OpenSigner = () => Promise<Signer>;

/**
 * Puts what is queued into the log and signs how far it has come. Nothing is signed that does not extend
 * the checkpoint that is kept apart from the database. Throws `log_behind` or `log_forked` (stop) where
 * the database is not the one that was signed, `signing_key_unknown` (stop) for a key that is not the log's.
 */
export function signLog(database: Database, open: OpenSigner): Promise<void> {
  const memory = memories.get(database) ?? { known: null, signed: null, turn: Promise.resolve() };
  memories.set(database, memory);
  // One after the other: both loops of a publisher come here.
  const turn = memory.turn.then(() => bringAndSign(database, open, memory));
  memory.turn = turn.catch(() => {});
  return turn;
}

/** What this process has done last with a log, so that it need not be read again. */
type Memory = EdgeMemory & {
  signed: (Tree & { readonly note: string; readonly signer: Signer }) | null;
  /** Resolves when nobody signs. */
  turn: Promise<void>;
};

const memories = new WeakMap<Database, Memory>();

async function bringAndSign(database: Database, open: OpenSigner, memory: Memory): Promise<void> {
  const sequenced = await sequence(database, memory);
  if (sequenced && (await signOn(database, sequenced, memory))) return;
  for (let attempt = 1; ; attempt++) {
    const signer = await open();
    const { size, signedSize } = await readHead(database.pool);
    if (size === signedSize) return;
    try {
      memory.signed = await signHead(database, signer);
      return;
    } catch (error) {
      // The key may have been rotated meanwhile: since it was opened, or since its entry was looked for.
      if (!isAboutKeys(error) || attempt === 2) throw error;
    }
    await sequence(database, memory);
  }
}

const isAboutKeys = (error: unknown): boolean =>
  error instanceof LegonetError && ['signing_key_unknown', 'rotation_unsound'].includes(error.code);

/** What was appended to the very tree that this process has signed last extends it: true if so. */
async function signOn(
  { pool }: Database,
  { from, to }: Sequenced,
  memory: Memory,
): Promise<boolean> {
  const { signed } = memory;
  memory.signed = null;
  if (signed?.size !== from.size || !equalBytes(signed.root, from.root)) return false;
  const { signer } = signed;
  if ((await signer.checkpoints.read()) !== signed.note) return false;
  memory.signed = await sign(pool, signer, to);
  return memory.signed !== null;
}

const signHead = ({ pool }: Database, signer: Signer): Promise<Memory['signed']> =>
  transaction(pool, async (client) => {
    const head = await lockHead(client);
    await checkHead(client, signer, head);
    return sign(client, signer, head);
  });

/** Null, and nothing on record, if another key is in force. */
async function sign(
  client: Queryable,
  signer: Signer,
  { size, root }: Tree,
): Promise<Memory['signed']> {
  const { origin, key, checkpoints } = signer;
  const note = signCheckpoint({ origin, size, root, extensions: [] }, [key], fastSign);
  // First apart: should the update fail, what is signed is in the log all the same.
  await checkpoints.write(note);
  const { rowCount } = await client.query(
    `UPDATE tlog_head SET signed_size = $1, checkpoint = $2
     WHERE $3 = (SELECT vkey FROM tlog_keys ORDER BY ordinal DESC LIMIT 1)`,
    [size, note, formatVerifierKey(key)],
  );
  return rowCount === 1 ? { size, root, note, signer } : null;
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
  await checkExtends(client, signer, head, [...keys, verifierOf(signer.key)]);
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
  { checkpoints, origin }: Signer,
  head: Head,
  keys: readonly VerifierKey[],
): Promise<void> {
  const note = (await checkpoints.read()) ?? head.checkpoint;
  if (note === null) return;
  const last = openLast(note, keys, origin, checkpoints.name);
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

function openLast(note: string, keys: readonly VerifierKey[], origin: string, name: string) {
  try {
    return openCheckpoint(note, { keys, origin });
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
