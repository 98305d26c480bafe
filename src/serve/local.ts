import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeOnce, readText, replaceFile } from '../store/kept-file.js';

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
export const makeLocalToken = (dataDir: string): Promise<string> =>
  makeOnce(join(dataDir, TOKEN), () => randomBytes(32).toString('base64url'));

export const writeLocalUrl = (dataDir: string, url: string): Promise<void> =>
  replaceFile(join(dataDir, URL_FILE), `${url}\n`);

/** Unless another server has come after this one. */
export async function removeLocalUrl(dataDir: string, url: string): Promise<void> {
  const path = join(dataDir, URL_FILE);
  if ((await readText(path)) === url) await rm(path, { force: true });
}
