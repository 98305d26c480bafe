import { formatVerifierKey } from '../audit/log/keys.js';
import type { Settings } from '../settings.js';
import { type Database, transaction } from '../store/database.js';
import { lockHead } from '../store/tlog.js';
import { readSigningRecord } from '../store/tlog-keys.js';
import { sequence } from '../store/tlog-sequence.js';
import { checkSigned, type OpenSigner } from './sign.js';
import { openSigner, type Signer } from './signer.js';

/**
 * Opens the signer when it is first asked for, and again when another key is on record: so a process takes
 * up a rotated key without a restart. Each time the database is compared with what was signed last, whether
 * there is anything to sign or not. Throws what `openSigner` and `signLog` do.
 */
export function keepSigner(settings: Settings, database: Database): OpenSigner {
  let known: Signer | undefined;
  return async () => {
    const record = await readSigningRecord(database.pool);
    if (known && (!record || record.vkey === formatVerifierKey(known.key))) return known;
    const signer = await openSigner(settings, database);
    // A rotation's entry may be waiting still.
    await sequence(database);
    await transaction(database.pool, async (client) =>
      checkSigned(client, signer, await lockHead(client)),
    );
    known = signer;
    return signer;
  };
}
