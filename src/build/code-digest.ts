import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** What decides the bits of a model. */
const FOLDERS = ['build', 'kernel', 'model'];

let digest: Buffer | undefined;

/** SHA-256 over the code that trains, as it is installed: each file's path and bytes, in order of the paths. */
export function codeDigest(): Uint8Array {
  if (digest) return digest;
  const sum = createHash('sha256');
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(js|wasm)$/.test(name))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  ).sort();
  for (const file of files) {
    const bytes = readFileSync(join(ROOT, file));
    sum.update(`${file}\n${bytes.length}\n`).update(bytes);
  }
  digest = sum.digest();
  return digest;
}
