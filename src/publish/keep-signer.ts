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
  let current: Signer | undefined;
  const openAgain = async (): Promise<Signer> => {
    const opening = openChecked(settings, database);
    known = opening;
    try {
      current = await opening;
      return current;
    } catch (error) {
      if (known === opening) known = undefined;
      throw error;
    }
  };
  return (stale) => (known && (!stale || stale !== current) ? known : openAgain());
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
