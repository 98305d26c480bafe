import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new directory below which an embedded server can run: as root it does so as another user. */
export async function temporaryDirectory(prefix) {
  const path = await mkdtemp(join(process.env.BENCH_TMP ?? tmpdir(), prefix));
  await chmod(path, 0o711);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
