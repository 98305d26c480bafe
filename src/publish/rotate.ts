import { encodeLeaf, rotationMessage } from '../audit/leaves.js';
import { formatSignerKey, formatVerifierKey } from '../audit/log/keys.js';
import { LegonetError } from '../errors.js';
import type { Settings } from '../settings.js';
import { type Database, transaction } from '../store/database.js';
import { createFile, replaceFile } from '../store/kept-file.js';
import { lockHead } from '../store/tlog.js';
import { recordNextKey } from '../store/tlog-keys.js';
import { queueEntries } from '../store/tlog-queue.js';
import { sequence } from '../store/tlog-sequence.js';
import { fastSign } from './fast-sign.js';
import { checkHead, signLog } from './sign.js';
import {
  keyFile,
  logDirectory,
  newKey,
  newMemory,
  nextKeyFile,
  openSigner,
  putInPlace,
  type Signer,
} from './signer.js';

export type Rotated = {
  readonly origin: string;
  /** The verifier keys: the one before, and the one in force. */
  readonly from: string;
  readonly vkey: string;
  /** Where the new key is. */
  readonly file: string;
  /** Whether processes find it there by themselves. */
  readonly inPlace: boolean;
};

/**
 * Makes a new key, puts into the log that the old one hands over to it, and signs the log with it. The new
 * key is on the disk before it is on record: in the place of the old one if that was the log's own, else in
 * the file `output`, which must not be there. Throws `wrong_usage`, and what `signLog` does.
 */
export async function rotateKey(
  settings: Settings,
  database: Database,
  output: string | undefined,
): Promise<Rotated> {
  const { signingKey, signingKeyFile } = settings.audit;
  const own = signingKey === undefined && signingKeyFile === undefined;
  checkOutput(own, output);
  const old = await openSigner(settings, database);
  const directory = await logDirectory(settings, database);
  const key = newKey(old.origin);
  const keep = async () => {
    const text = `${formatSignerKey(key)}\n`;
    if (output === undefined) await replaceFile(nextKeyFile(directory, key), text);
    else await createFile(output, text);
  };
  const vkey = formatVerifierKey(key);
  await handOver(database, old, vkey, keep);
  if (own) await putInPlace(directory, key);
  await signLog(database, async () => ({ ...old, key, memory: newMemory() }));
  const file = output ?? keyFile(directory);
  return { origin: old.origin, from: formatVerifierKey(old.key), vkey, file, inPlace: own };
}

function checkOutput(own: boolean, output: string | undefined): void {
  if (!own && output === undefined) {
    throw new LegonetError(
      'wrong_usage',
      'keygen --rotate: the key comes from LEGONET_SIGNING_KEY: say with -o where the new one goes',
    );
  }
  if (own && output !== undefined) {
    throw new LegonetError(
      'wrong_usage',
      'keygen --rotate: the new key takes the old one’s place in LEGONET_AUDIT_DIR: leave -o out',
    );
  }
}

/** In one transaction, which nobody signs beside. */
async function handOver(
  database: Database,
  old: Signer,
  vkey: string,
  keep: () => Promise<void>,
): Promise<void> {
  // The last rotation's entry must be in the log.
  await sequence(database);
  await transaction(database.pool, async (client) => {
    await checkHead(client, old, await lockHead(client));
    await keep();
    const signature = fastSign(rotationMessage(old.origin, vkey), old.key.seed);
    const entry = encodeLeaf({ kind: 'key', vkey, oldKeyId: old.key.id, signature });
    await recordNextKey(client, vkey, await queueEntries(client, [entry]));
  });
}
