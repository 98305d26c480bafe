import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { notFound } from './chunks.js';

/** A file of a folder; `path` is from the folder on, with `/` between its names. */
export type FolderFile = {
  readonly path: string;
  readonly bytes: number;
  readonly changed: number;
};

/**
 * All files of a folder and of those in it, in the order of their names' UTF-16 units, whatever the
 * file system's. Links to files are followed, links to folders are not: they might lead in circles.
 * Holds the names of one folder and of those above it. Throws `input_not_found`.
 */
export async function* walk(folder: string, below = ''): AsyncGenerator<FolderFile> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch((cause) => {
    throw notFound(join(folder, below), cause);
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = `${below}${entry.name}`;
    if (entry.isDirectory()) yield* walk(folder, `${path}/`);
    else {
      const file = await fileAt(join(folder, path), entry);
      if (file) yield { path, ...file };
    }
  }
}

/** Null for what is no file, a link that leads to none included. */
async function fileAt(path: string, entry: Dirent): Promise<Omit<FolderFile, 'path'> | null> {
  if (!entry.isFile() && !entry.isSymbolicLink()) return null;
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? { bytes: found.size, changed: found.mtimeMs } : null;
}

/** Changes when a file of the folder comes, goes or is written. */
export async function folderFingerprint(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const { path, bytes, changed } of walk(folder)) {
    hash.update(`${JSON.stringify([path, bytes, changed])}\n`);
  }
  return hash.digest('hex');
}

export async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() ?? false;
}
