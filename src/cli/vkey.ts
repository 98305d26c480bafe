import { readFile } from 'node:fs/promises';
import { parseVerifierKey } from '../audit/log/keys.js';
import { LegonetError } from '../errors.js';

/** A verifier key, given itself or by the path of a file that holds it. Throws `wrong_usage`. */
export async function readVerifierKey(given: string): Promise<string> {
  const vkey = /^[^+]+\+[0-9a-f]{8}\+/.test(given) ? given : await keyIn(given);
  try {
    parseVerifierKey(vkey);
    return vkey;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LegonetError('wrong_usage', `--key: not a verifier key: ${reason}`);
  }
}

async function keyIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    const reason = `--key: neither a verifier key nor a file that can be read: ${path}`;
    throw new LegonetError('wrong_usage', reason, 'terminal', { cause });
  }
}
