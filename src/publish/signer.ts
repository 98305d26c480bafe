import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { formatSignerKey, generateKey, parseSignerKey, type SignerKey } from '../audit/log/keys.js';
import type { Settings } from '../settings.js';
import type { Database } from '../store/database.js';
import { makeOnce, readText, replaceFile } from '../store/kept-file.js';
import { readLogId, type Tree } from '../store/tlog.js';
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

/** Throws `invalid_signing_key`. */
export async function openSigner({ audit }: Settings, { pool }: Database): Promise<Signer> {
  const directory = join(audit.directory, await readLogId(pool));
  const key = parseSignerKey(audit.signingKey ?? (await localKey(directory)));
  return {
    key,
    origin: audit.origin ?? key.name,
    checkpoints: checkpointFile(join(directory, 'checkpoint')),
    memory: newMemory(),
  };
}

/** The log's own key, made when it is first asked for. */
const localKey = (directory: string): Promise<string> =>
  makeOnce(keyFile(directory), () => formatSignerKey(newKey()));

export const keyFile = (directory: string): string => join(directory, 'signing-key');

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
