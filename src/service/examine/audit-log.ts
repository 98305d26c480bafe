import { formatVerifierKey } from '../../audit/log/keys.js';
import { LegonetError } from '../../errors.js';
import type { Finding } from '../../log/finding.js';
import { checkSigned } from '../../publish/sign.js';
import { findSigner, type Signer } from '../../publish/signer.js';
import type { Settings } from '../../settings.js';
import type { Database } from '../../store/database.js';
import { readHead } from '../../store/tlog.js';
import { readSigningRecord } from '../../store/tlog-keys.js';

const KEY = 'signing key';
const CHECKPOINT = 'checkpoint';

const REMEDIES: Readonly<Record<string, string>> = {
  checkpoint_unreadable:
    'Restore the file from its own backup; remove it only if you are sure that the database is the right one.',
  invalid_signing_key: 'Restore the key’s file from its backup, or make LEGONET_SIGNING_KEY right.',
  log_behind:
    'Restore a newer backup: docs/operations.md, "The audit log is not the one that was signed".',
  log_forked:
    'Restore the right database: docs/operations.md, "The audit log is not the one that was signed".',
  log_origin_fixed: 'Leave LEGONET_LOG_ORIGIN out.',
  rotation_unsound: 'Find out who changed the database, and restore a backup that agrees.',
  signing_key_unknown:
    'Give this process the log’s key: docs/how-to/signing-key.md, "Several processes".',
};
const OTHERWISE = 'See docs/how-to/signing-key.md.';
/** Errors that say something of the key; the others say it of the checkpoint or the database. */
const ABOUT_KEYS = [
  'invalid_signing_key',
  'log_origin_fixed',
  'rotation_unsound',
  'signing_key_unknown',
];

/** Whether this process could sign the audit log: it has the log's key, and the database is the signed one. */
export async function examineAuditLog(settings: Settings, database: Database): Promise<Finding[]> {
  try {
    const signer = await findSigner(settings, database);
    return signer ? await examineSigner(signer, database) : [await noKeyFinding(database)];
  } catch (error) {
    return [failed(KEY, error)];
  }
}

async function noKeyFinding({ pool }: Database): Promise<Finding> {
  const record = await readSigningRecord(pool);
  if (!record) return { name: KEY, ok: true, detail: 'made when the audit log is first signed' };
  return {
    name: KEY,
    ok: false,
    detail: `the audit log is signed by ${record.vkey}, and no key is at hand here`,
    remedy: REMEDIES.signing_key_unknown ?? OTHERWISE,
  };
}

async function examineSigner(signer: Signer, { pool }: Database): Promise<Finding[]> {
  const { checkpoints, key } = signer;
  const fine = { name: KEY, ok: true, detail: `it is the audit log’s: ${formatVerifierKey(key)}` };
  try {
    // Before the head, which grows meanwhile: what is signed is in the database already.
    const note = await checkpoints.read();
    const head = await readHead(pool);
    await checkSigned(
      pool,
      { ...signer, checkpoints: { ...checkpoints, read: async () => note } },
      head,
    );
    return [fine, checkpointFinding(checkpoints.name, note !== null, head)];
  } catch (error) {
    const code = error instanceof LegonetError ? error.code : '';
    return ABOUT_KEYS.includes(code) ? [failed(KEY, error)] : [fine, failed(CHECKPOINT, error)];
  }
}

function checkpointFinding(
  name: string,
  there: boolean,
  { signedSize, size }: { readonly signedSize: number; readonly size: number },
): Finding {
  const detail = there
    ? `${signedSize} entries of ${size} in the database are signed, as ${name} has it`
    : `there is none at ${name}`;
  const remedy =
    'Restore the file from its own backup. If there is none and the database is the right one, go on: the ' +
    'next signature writes it. Until then an old backup could not be told.';
  return { name: CHECKPOINT, ok: there || signedSize === 0, detail, remedy };
}

function failed(name: string, error: unknown): Finding {
  const detail = error instanceof Error ? error.message : String(error);
  const code = error instanceof LegonetError ? error.code : '';
  return { name, ok: false, detail, remedy: REMEDIES[code] ?? OTHERWISE };
}
