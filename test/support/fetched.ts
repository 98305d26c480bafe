import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The directory of that name in the user's cache, filled by `fetch` the first time, whole or not at all. */
export async function fetchOnce(
  kind: string,
  name: string,
  fetch: (directory: string) => Promise<unknown>,
): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const parent = join(cache, 'legonet', kind);
  const directory = join(parent, name);
  const isComplete = () => existsSync(join(directory, '.complete'));
  if (isComplete()) return directory;
  await mkdir(parent, { recursive: true });
  const fetched = await mkdtemp(join(parent, `${name}-`));
  await fetch(fetched);
  await writeFile(join(fetched, '.complete'), '');
  // Somebody else may have fetched it meanwhile: theirs is as good.
  await rename(fetched, directory).catch(() => rm(fetched, { recursive: true, force: true }));
  if (!isComplete()) throw new Error(`nothing was fetched into ${directory}`);
  return directory;
}
