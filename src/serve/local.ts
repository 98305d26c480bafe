import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const TOKEN = 'http-token';
const URL_FILE = 'http-url';

/** Where the server of a data directory listens, and the token that it takes. */
export type LocalAccess = { readonly url: string; readonly token: string };

/** Null unless a server with this data directory is running, or was when its machine went down. */
export async function readLocalAccess(dataDir: string): Promise<LocalAccess | null> {
  const url = await readText(join(dataDir, URL_FILE));
  const token = await readText(join(dataDir, TOKEN));
  return url && token ? { url, token } : null;
}

/** The data directory's token, made if there is none: one, whoever comes at the same time. */
export async function makeLocalToken(dataDir: string): Promise<string> {
  const path = join(dataDir, TOKEN);
  const known = await readText(path);
  if (known) return known;
  const mine = temporary(path);
  const token = randomBytes(32).toString('base64url');
  await writeFile(mine, `${token}\n`, { mode: 0o600 });
  try {
    // Not a rename: it would take the place of one that another process has made meanwhile.
    await link(mine, path);
    return token;
  } catch (error) {
    const other = await readText(path);
    if (other) return other;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

export async function writeLocalUrl(dataDir: string, url: string): Promise<void> {
  const path = join(dataDir, URL_FILE);
  const mine = temporary(path);
  await writeFile(mine, `${url}\n`, { mode: 0o600 });
  await rename(mine, path);
}

/** Unless another server has come after this one. */
export async function removeLocalUrl(dataDir: string, url: string): Promise<void> {
  const path = join(dataDir, URL_FILE);
  if ((await readText(path)) === url) await rm(path, { force: true });
}

const temporary = (path: string): string =>
  `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;

async function readText(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
