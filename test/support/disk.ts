import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Which of the markers are in any file below the directories. */
export async function findOnDisk(
  directories: readonly string[],
  markers: readonly string[],
): Promise<string[]> {
  const found = new Set<string>();
  for (const directory of directories) {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile() && !one.name.endsWith('index'))) {
      // Files come and go while a broker cleans.
      const bytes = await readFile(join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0));
      for (const marker of markers) if (bytes.includes(marker)) found.add(marker);
    }
  }
  return markers.filter((marker) => found.has(marker));
}
