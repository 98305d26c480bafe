import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverUser } from '#src/store/embedded/home.js';
import { run } from '#src/store/embedded/run.js';
import { freePort } from '#src/store/embedded/start.js';

/** Where Debian's packages put the programs of each version. */
const ROOT = '/usr/lib/postgresql';

/** Directories of the programs of every version that is installed. */
export async function debianPostgres(): Promise<string[]> {
  const versions = await readdir(ROOT).catch(() => []);
  if (versions.length === 0) {
    console.warn(`SKIPPED: no PostgreSQL in ${ROOT}; install Debian's package postgresql`);
  }
  return versions.map((version) => join(ROOT, version, 'bin'));
}

/** A server of such a version with no data in it. */
export async function startDebianPostgres(
  programs: string,
): Promise<{ url: string; close(): Promise<void> }> {
  const user = await serverUser('');
  const directory = await mkdtemp(join(tmpdir(), 'legonet-test-debian-'));
  if (user) await chown(directory, user.uid, user.gid);
  const call = async (program: string, ...args: string[]) => {
    const { ok, output } = await run(join(programs, program), args, { user });
    if (!ok) throw new Error(`${program} failed: ${output}`);
  };
  const data = join(directory, 'data');
  await call('initdb', '-D', data, '-U', 'legonet', '-A', 'trust', '--no-sync');
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
  };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(directory, 'log');
  await call('pg_ctl', '-D', data, '-l', log, '-o', options.join(' '), '-w', 'start');
  return {
    url: `postgres://legonet@127.0.0.1:${port}/postgres`,
    close: async () => {
      await call('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
