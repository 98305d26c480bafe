import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '#src/store/database.js';
import { inspectEmbeddedPostgres } from '#src/store/embedded/inspect.js';
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';
import { exists } from '#src/store/embedded/processes.js';
import { migrate } from '#src/store/migrate.js';
import { execute } from './execute.js';
import { SCRATCH_VARIABLE } from './scratch.js';

/** A server for the run, with a migrated database to copy; or why there is none. */
export type TestServer =
  | { readonly url: string; readonly template: string }
  | { readonly missing: string };

declare module 'vitest' {
  interface ProvidedContext {
    server: TestServer;
  }
}

const PREFIX = 'legonet-test-postgres-';

/** TEST_DATABASE_URL, or a server of our own for as long as the tests run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(tmpdir(), 'legonet-test-'));
  process.env[SCRATCH_VARIABLE] = scratch;
  const endServer = await setupServer(project);
  return async () => {
    await endServer();
    await rm(scratch, { recursive: true, force: true });
  };
}

async function setupServer(project: TestProject): Promise<() => Promise<void>> {
  let close = async () => {};
  const template = `legonet_template_${randomBytes(6).toString('hex')}`;
  try {
    const server = await startServer();
    close = server.close;
    await makeTemplate(server.url, template);
    project.provide('server', { url: server.url, template });
    return async () => {
      await dropTemplate(server.url, template);
      await close();
    };
  } catch (error) {
    // Tests that need no database run all the same; those that do say what went wrong.
    project.provide('server', { missing: String(error) });
    return close;
  }
}

async function startServer(): Promise<{ url: string; close(): Promise<void> }> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { url: given, close: async () => {} };
  await removeLeftovers();
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  // As root the server runs as another user, who must get in.
  await chmod(directory, 0o711);
  const server = await openEmbeddedPostgres(directory, { durable: false });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      await removeDataDirectory(directory);
    },
  };
}

async function makeTemplate(url: string, template: string): Promise<void> {
  await execute(url, `CREATE DATABASE ${template} TEMPLATE template0`);
  const database = openDatabase(Object.assign(new URL(url), { pathname: `/${template}` }).href, 1);
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
  await execute(url, `ALTER DATABASE ${template} IS_TEMPLATE true`);
}

async function dropTemplate(url: string, template: string): Promise<void> {
  await execute(url, `ALTER DATABASE ${template} IS_TEMPLATE false`);
  await execute(url, `DROP DATABASE ${template} WITH (FORCE)`);
}

/** Stops the servers of test runs that were killed: not of one that is about to start its own. */
async function removeLeftovers(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  for (const name of names.filter(
    (one) => !exists(Number.parseInt(one.slice(PREFIX.length), 10)),
  )) {
    const directory = join(tmpdir(), name);
    try {
      const { state, users } = await inspectEmbeddedPostgres(directory);
      if (users > 0) continue;
      if (state === 'running') await (await openEmbeddedPostgres(directory)).close();
      await removeDataDirectory(directory);
    } catch {
      // Another user's.
    }
  }
}

async function removeDataDirectory(directory: string): Promise<void> {
  const home = await realpath(join(directory, 'postgres')).catch(() => undefined);
  if (home !== undefined) await rm(home, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
}
