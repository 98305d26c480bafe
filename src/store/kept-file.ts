import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LegonetError } from '../errors.js';

/** The file's text without space around it, or null if there is none. */
export async function readText(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** What the file says, made if there is none: one, whoever comes at the same time. For its owner only. */
export async function makeOnce(path: string, make: () => string): Promise<string> {
  const known = await readText(path);
  if (known) return known;
  const text = make();
  const mine = await writeBeside(path, `${text}\n`);
  try {
    // Not a rename: it would take the place of one that another process has made meanwhile.
    await link(mine, path);
    return text;
  } catch (error) {
    const other = await readText(path);
    if (other) return other;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

/** Puts the text in the place of what is there, whole, and on the disk when it returns. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await rename(await writeBeside(path, text), path);
  // The name is on the disk only when its directory is.
  const directory = await open(dirname(path));
  await directory.sync().finally(() => directory.close());
}

/** Makes the file, whole and on the disk, for its owner only. Throws `file_exists` if there is one. */
export async function createFile(path: string, text: string): Promise<void> {
  const mine = await writeBeside(path, text);
  try {
    await link(mine, path);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
    throw new LegonetError(
      'file_exists',
      `${path} is there already, and is left as it is`,
      'terminal',
      {
        cause,
      },
    );
  } finally {
    await rm(mine, { force: true });
  }
}

async function writeBeside(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return beside;
}
