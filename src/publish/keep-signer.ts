import type { Settings } from '../settings.js';
import { type Database, transaction } from '../store/database.js';
import { lockHead } from '../store/tlog.js';
import { sequence } from '../store/tlog-sequence.js';
import { checkSigned, type OpenSigner } from './sign.js';
import { openSigner, type Signer } from './signer.js';

/**
 * Opens the signer when it is first asked for, and again when its key is not the one in force any more: so a
 * process takes up a rotated key without a restart. Each time the database is compared with what was signed
 * last, whether there is anything to sign or not. Throws what `openSigner` and `signLog` do.
 */
export function keepSigner(settings: Settings, database: Database): OpenSigner {
  let known: Promise<Signer> | undefined;
  const openAgain = (): Promise<Signer> => {
    const opening = openChecked(settings, database);
    known = opening;
    opening.catch(() => {
      if (known === opening) known = undefined;
    });
    return opening;
  };
  return async (stale) => {
    const signer = await (known ?? openAgain());
    // Of those who are told at once, each that still sees the stale one opens it; whichever is last is known.
    return signer === stale ? openAgain() : signer;
  };
}

async function openChecked(settings: Settings, database: Database): Promise<Signer> {
  const signer = await openSigner(settings, database);
  // A rotation's entry may be waiting still.
  await sequence(database, signer.memory);
  await transaction(database.pool, async (client) =>
    checkSigned(client, signer, await lockHead(client)),
  );
  return signer;
}
