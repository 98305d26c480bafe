import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { logError } from '#src/cli/log-error.js';
import { LegonetError } from '#src/errors.js';
import { sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import { erasureAlarm } from '#src/service/erasure-alarm.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { saveModel } from '#src/store/model.js';
import { startLegonet } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';

const SECRET = 'ann@example.org';
const TOPIC = 'legonet.sample-events';
const page = readFileSync(join(import.meta.dirname, '../../docs/reference/log-events.md'), 'utf8');

let created: TestDatabase;
let database: Database;
beforeEach(async () => {
  created = await createTestDatabase();
  database = openDatabase(created.url);
});
afterEach(async () => {
  await database.close();
  await created.drop();
});

const line = z.object({ level: z.number(), event: z.string(), msg: z.string() });

test('a service logs events of the reference, and nothing of any sample, at every level', async () => {
  await saveModel(database, tinyModel(), {});
  const log = new EmbeddedLog(database);
  const source = 'urn:test';
  const content = { label: 'a', encoding: [1, 2, 3, 4], subjectId: `subject ${SECRET}` };
  await log.append(TOPIC, [
    toNewRecord(sampleIngested({ sampleId: SECRET, ...content }, { id: '1', source })),
    toNewRecord(sampleIngested({ sampleId: 'other', ...content }, { id: '2', source })),
    toNewRecord(sampleDeleted({ sampleId: SECRET, requestId: SECRET }, { id: SECRET, source })),
    { key: SECRET, value: Buffer.from(`{"type":"legonet.sample.deleted.v1","x":"${SECRET}"}`) },
  ]);
  const service = startLegonet(['start'], {
    DATABASE_URL: created.url,
    LEGONET_BUILD_DELAY_MS: '0',
    LEGONET_HTTP_PORT: '0',
    LOG_LEVEL: 'trace',
  });
  await service.says('"event":"version_published"');
  await service.says('"code":"partition_stopped"');
  service.process.kill('SIGTERM');
  const { code, stderr } = await service.ended;
  await log.close();
  expect(code).toBe(0);
  expect(stderr).not.toContain(SECRET);
  const lines = stderr.split('\n').filter((text) => text.startsWith('{'));
  for (const text of lines) {
    const { event } = line.parse(JSON.parse(text));
    expect(page).toContain(`| \`${event}\` `);
  }
  expect(lines.length).toBeGreaterThan(3);
});

describe('an error in the log', () => {
  const caught = (sql: string, values: unknown[] = []): Promise<unknown> =>
    database.pool.query(sql, values).then(
      () => undefined,
      (error) => error,
    );

  test('of PostgreSQL quotes no row, key or value', async () => {
    const insert = `INSERT INTO subject_erasures VALUES ($1, 0, 'r')`;
    await database.pool.query(insert, [SECRET]);
    for (const error of [
      await caught(insert, [SECRET]),
      await caught(`INSERT INTO dead_letters (code) VALUES ('${SECRET}')`),
      await caught(`SELECT '${SECRET}'::int`),
      await caught(`SELECT "${SECRET}"`),
    ]) {
      expect(error).toBeInstanceOf(Error);
      const logged = logError(new LegonetError('x', 'wrapped', 'stop', { cause: error }));
      expect(JSON.stringify(logged)).not.toContain(SECRET);
      expect(logged).toMatchObject({
        type: 'LegonetError',
        code: 'x',
        message: 'wrapped',
        cause: { code: expect.stringMatching(/^[0-9A-Z]{5}$/), stack: expect.any(String) },
      });
    }
  });

  test('says what the matter is where it cannot quote anything', async () => {
    const { port } = new URL(created.url);
    const nobody = openDatabase(`postgres://nobody:wrong@127.0.0.1:${port}/none`, 1);
    const refused = await nobody.pool.query('SELECT 1').catch((error: unknown) => error);
    await nobody.close();
    expect(logError(refused).message).toContain('nobody');
    const read = await caught('SET TRANSACTION READ ONLY; CREATE TABLE t ()');
    expect(logError(read)).toMatchObject({ code: '25006', message: expect.any(String) });
    expect(logError(new TypeError('x is not a function')).message).toBe('x is not a function');
  });

  test('of a parser, or of unknown make, keeps its message to itself', () => {
    const parse = (): unknown => {
      try {
        return JSON.parse(SECRET);
      } catch (error) {
        return error;
      }
    };
    for (const error of [parse(), new Error(SECRET), SECRET, { SECRET }]) {
      expect(JSON.stringify(logError(error))).not.toContain(SECRET);
    }
  });
});

test('an overdue erasure is said again every minute, until it is done', async () => {
  const said: unknown[] = [];
  const logger = { error: (fields: unknown) => said.push(fields) };
  const settings = { erasureDeadlineMs: 3_600_000 };
  let now = 0;
  const service = { database, settings, logger } as unknown as Parameters<typeof erasureAlarm>[0];
  const alarm = erasureAlarm(service, () => now);
  const erasure = (hours: number) =>
    database.pool.query(
      `INSERT INTO erasures (key, partition, first_position, last_position, since)
       VALUES ($1, 0, 0, 0, now() - $2 * interval '1 hour')`,
      [`${SECRET} ${hours}`, hours],
    );
  await erasure(0.5);
  await alarm();
  expect(said).toEqual([]);
  await erasure(2);
  await alarm();
  expect(said).toEqual([]);
  now += 60_000;
  await alarm();
  await alarm();
  expect(said).toMatchObject([{ event: 'erasure_overdue', overdue: 1, deadlineMs: 3_600_000 }]);
  expect(JSON.stringify(said)).not.toContain(SECRET);
  now += 60_000;
  await alarm();
  expect(said).toHaveLength(2);
  await database.pool.query('DELETE FROM erasures');
  now += 60_000;
  await alarm();
  expect(said).toHaveLength(2);
});
