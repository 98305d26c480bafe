import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { execute } from './execute.js';
import type { TestServer } from './global-setup.js';

export type TestDatabase = { readonly url: string; drop(): Promise<void> };

/**
 * A database of the test's own, a copy of `template`: by default one with all migrations applied,
 * 'template0' for an empty one. On the run's server, or on another.
 */
export async function createTestDatabase(
  options: { readonly template?: string; readonly server?: TestServer } = {},
): Promise<TestDatabase> {
  const server = options.server ?? inject('server');
  if ('missing' in server) throw new Error(`no PostgreSQL for tests: ${server.missing}`);
  const name = `legonet_test_${randomBytes(8).toString('hex')}`;
  const template = options.template ?? server.template;
  await execute(server.url, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
  return { url, drop: () => execute(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}
