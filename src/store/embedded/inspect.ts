import { resolve } from 'node:path';
import { clusterVersion } from './cluster.js';
import { findHome, parts } from './home.js';
import { readLeases } from './leases.js';
import { findPostmaster } from './postmaster.js';

export type EmbeddedState = {
  readonly state: 'absent' | 'stopped' | 'running';
  readonly pid?: number;
  readonly port?: number;
  /** How many live processes have it open (a process counts once for each time). */
  readonly users: number;
  /** Leases of processes that were killed: the next to open removes them. */
  readonly stale: number;
  /** Where it really is, if it is: data, log and password. */
  readonly home?: string;
  readonly log?: string;
  /** Major version of PostgreSQL that made the data. */
  readonly version?: string;
};

/** What is there, without changing anything: for status and doctor. */
export async function inspectEmbeddedPostgres(dataDir: string): Promise<EmbeddedState> {
  const home = await findHome(resolve(dataDir));
  const version = home === undefined ? undefined : await clusterVersion(home);
  if (home === undefined || version === undefined) return { state: 'absent', users: 0, stale: 0 };
  const [postmaster, { live, stale }] = await Promise.all([findPostmaster(home), readLeases(home)]);
  const found = { users: live.length, stale: stale.length, home, log: parts(home).log, version };
  return postmaster
    ? { state: 'running', ...postmaster, ...found }
    : { state: 'stopped', ...found };
}
