import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  formatSignerKey,
  formatVerifierKey,
  generateKey,
  parseSignerKey,
  parseVerifierKey,
  type SignerKey,
} from '../audit/log/keys.js';
import { LegonetError } from '../errors.js';
import { readSecret, type Settings } from '../settings.js';
import type { Database } from '../store/database.js';
import { makeOnce, readText, replaceFile } from '../store/kept-file.js';
import { findLogId, readLogId, type Tree } from '../store/tlog.js';
import { readSigningRecord, type SigningRecord } from '../store/tlog-keys.js';
import type { EdgeMemory } from '../store/tlog-sequence.js';

/** Where the last signed checkpoint is kept, apart from the database: it tells an old backup. */
export type CheckpointStore = {
  /** Its name, for people. */
  readonly name: string;
  read(): Promise<string | null>;
  /** Resolves when it is safe from a loss of power. */
  write(checkpoint: string): Promise<void>;
};

/** What signs the audit log. */
export type Signer = {
  readonly key: SignerKey;
  /** The log's name. */
  readonly origin: string;
  readonly checkpoints: CheckpointStore;
  readonly memory: SignerMemory;
};

/** What this process has done last, so that it need not read it again. */
export type SignerMemory = EdgeMemory & {
  signed: (Tree & { readonly note: string }) | null;
  /** Resolves when nobody signs. */
  turn: Promise<void>;
};

export const newMemory = (): SignerMemory => ({
  known: null,
  signed: null,
  turn: Promise.resolve(),
});

/**
 * The log's key, from the settings or the log's directory. Made there if the log has none yet; where it
 * has one and none is at hand, throws `signing_key_unknown` (stop). Throws `invalid_signing_key` and
 * `log_origin_fixed` (stop).
 */
export async function openSigner(settings: Settings, database: Database): Promise<Signer> {
  const directory = await logDirectory(settings, database);
  const record = await readSigningRecord(database.pool);
  const key =
    (await keyAtHand(settings, directory, record)) ??
    (record === null ? await firstKey(settings, directory) : null);
  if (key) return signerOf(settings, directory, record, key);
  throw new LegonetError(
    'signing_key_unknown',
    `the audit log is signed by ${record?.vkey}, and there is no key in ${directory}: ${SHARE_KEY}`,
    'stop',
  );
}

/** What a process lacks that has come second, with a data directory of its own. */
export const SHARE_KEY =
  'it is with the process that was the first to sign, in LEGONET_AUDIT_DIR. Give all that publish the ' +
  'same key: LEGONET_SIGNING_KEY_FILE';

/** As `openSigner`, but makes nothing: null if there is no log yet, or no key at hand. */
export async function findSigner(settings: Settings, database: Database): Promise<Signer | null> {
  const log = await findLogId(database.pool);
  if (log === null) return null;
  const directory = join(settings.audit.directory, log);
  const record = await readSigningRecord(database.pool);
  const key = await keyAtHand(settings, directory, record);
  return key && signerOf(settings, directory, record, key);
}

export const logDirectory = async ({ audit }: Settings, { pool }: Database): Promise<string> =>
  join(audit.directory, await readLogId(pool));

function signerOf(
  { audit }: Settings,
  directory: string,
  record: SigningRecord | null,
  key: SignerKey,
): Signer {
  const origin = record?.origin ?? key.name;
  if (audit.origin !== undefined && audit.origin !== origin) {
    throw new LegonetError(
      'log_origin_fixed',
      `LEGONET_LOG_ORIGIN is ${audit.origin}, and the audit log ${record ? 'is' : 'would be'} named ` +
        `${origin}, as its key is`,
      'stop',
    );
  }
  const checkpoints = checkpointFile(join(directory, 'checkpoint'));
  return { key, origin, checkpoints, memory: newMemory() };
}

/** Read anew each time: another process may have rotated it. */
async function keyAtHand(
  { audit }: Settings,
  directory: string,
  record: SigningRecord | null,
): Promise<SignerKey | null> {
  const { signingKeyFile, signingKey } = audit;
  if (signingKeyFile !== undefined) {
    return parseSignerKey(readSecret('LEGONET_SIGNING_KEY', signingKeyFile));
  }
  if (signingKey !== undefined) return parseSignerKey(signingKey);
  const text = await readText(keyFile(directory));
  const key = text === null ? null : parseSignerKey(text);
  if (!record || (key && formatVerifierKey(key) === record.vkey)) return key;
  return (await takeUp(directory, record)) ?? key;
}

/** The key that a rotation has left beside the old one, if it ended before it was in its place. */
async function takeUp(directory: string, { vkey }: SigningRecord): Promise<SignerKey | null> {
  const beside = nextKeyFile(directory, parseVerifierKey(vkey));
  const text = await readText(beside);
  if (text === null) {
    // Unless whoever has left it put it in its place meanwhile.
    const now = await readText(keyFile(directory));
    const key = now === null ? null : parseSignerKey(now);
    return key && formatVerifierKey(key) === vkey ? key : null;
  }
  const key = parseSignerKey(text);
  if (formatVerifierKey(key) !== vkey) return null;
  await putInPlace(directory, key);
  return key;
}

/** Puts the key that is kept beside the log's into its place. */
export async function putInPlace(directory: string, key: Pick<SignerKey, 'id'>): Promise<void> {
  await rename(nextKeyFile(directory, key), keyFile(directory)).catch((error) => {
    // Another process has done it.
    if (error.code !== 'ENOENT') throw error;
  });
}

/** The log's own key, made when it is first asked for. */
const firstKey = async ({ audit }: Settings, directory: string): Promise<SignerKey> =>
  parseSignerKey(await makeOnce(keyFile(directory), () => formatSignerKey(newKey(audit.origin))));

export const keyFile = (directory: string): string => join(directory, 'signing-key');

/** Where a key is kept from before it is on record until it is in its place. */
export const nextKeyFile = (directory: string, { id }: Pick<SignerKey, 'id'>): string =>
  `${keyFile(directory)}.${id.toString(16).padStart(8, '0')}`;

/** Under a name that no other log has. */
export const newKey = (name = `legonet.local/${randomBytes(8).toString('hex')}`): SignerKey =>
  generateKey(name, randomBytes(32));

export const checkpointFile = (path: string): CheckpointStore => ({
  name: path,
  read: async () => {
    const text = await readText(path);
    return text === null ? null : `${text}\n`;
  },
  write: (checkpoint) => replaceFile(path, checkpoint),
});
