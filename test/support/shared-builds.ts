import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { Model } from '#src/model/model.js';
import type { Rows } from '#src/model/statistics.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { type Act, type Builder, exists, killBuilders, startBuilder, until } from './builders.js';
import { createProjected } from './built.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { temporaryFolder } from './input.js';

/**
 * For tests of builds that processes share: before each a database with the rows projected and nothing built, after
 * each no process left.
 */
export function sharedBuilds(model: Model, rows: Rows) {
  const folder = temporaryFolder();
  let template: TestDatabase;
  let copy: TestDatabase;
  let opened: Database;
  let number = 0;
  beforeAll(async () => {
    template = await createProjected(model, rows);
  });
  afterAll(() => template?.drop());
  beforeEach(async () => {
    copy = await createTestDatabase({ template: new URL(template.url).pathname.slice(1) });
    opened = openDatabase(copy.url, 2);
    number += 1;
  });
  afterEach(async () => {
    await killBuilders();
    await opened.close();
    await copy.drop();
  });

  const file = (name: string) => join(folder, `${number}-${name}`);
  const touch = (name: string) => writeFileSync(file(name), '');
  const start = (...acts: Act[]): Builder => startBuilder(copy.url, acts);
  const one = async <T>(sql: string): Promise<T> =>
    Object.values((await opened.pool.query(sql)).rows[0])[0] as T;
  const builders = () =>
    one<number>(`SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
  const versions = () => one<number>('SELECT count(*)::int FROM versions');
  const leftOver = () =>
    one<number>(`SELECT (SELECT count(*) FROM shared_builds)::int
    + (SELECT count(*) FROM build_tasks)::int + (SELECT count(*) FROM build_results)::int`);

  /** Starts a leader that waits, when its tasks are there to be taken, until `go` exists. */
  async function startLeader(...acts: Act[]): Promise<Builder> {
    const ready = file('leads');
    const leader = start(
      { point: 'build.cut-taken', does: 'touch', file: ready },
      // Only with others there is anything to share.
      { point: 'build.cut-taken', does: 'wait', file: file('others') },
      { point: 'share.opened', does: 'touch', file: file('opened') },
      { point: 'share.opened', does: 'wait', file: file('go') },
      ...acts,
    );
    await exists(ready);
    return leader;
  }

  /** Starts helpers that join a leader's build, and waits until they are there. */
  async function startHelpers(acts: readonly (readonly Act[])[]): Promise<Builder[]> {
    const helpers = acts.map((some) => start(...some));
    await until(async () => (await builders()) === 1 + acts.length);
    touch('others');
    return helpers;
  }

  /** Ends them all, and sees that they end well and leave nothing behind. */
  async function stop(...all: Builder[]): Promise<void> {
    for (const { child } of all) child.kill('SIGTERM');
    for (const { ended } of all) expect(await ended).toBeNull();
    expect(await leftOver()).toBe(0);
  }

  return {
    url: () => copy.url,
    database: () => opened,
    file,
    touch,
    start,
    one,
    builders,
    versions,
    leftOver,
    startLeader,
    startHelpers,
    stop,
    built: () => until(async () => (await versions()) === 1),
  };
}

const said = ({ lines }: Builder, msg: string) => lines.filter((line) => line.msg === msg);
/** What it has said of each version that it built. */
export const builtBy = (builder: Builder) => said(builder, 'version built');
/** How many adapters it has built for others' versions. */
export const helpedBy = (builder: Builder): number =>
  said(builder, "helped with another process's version").reduce(
    (sum, { adapters }) => sum + Number(adapters),
    0,
  );
export const failures = (builder: Builder) => said(builder, 'role failed');
