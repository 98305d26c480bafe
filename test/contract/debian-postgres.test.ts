import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { EmbeddedLog } from '#src/log/embedded.js';
import { catchUp } from '#src/service/catch-up.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { migrate } from '#src/store/migrate.js';
import { expectCaughtUp } from '../support/caught-up.js';
import { debianPostgres, startDebianPostgres } from '../support/debian-postgres.js';
import { eventfulHistory, expectedOf } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { openTestService } from '../support/service.js';
import { eventLogContract } from './event-log.js';

const TOPIC = 'legonet.sample-events';

describe.each(await debianPostgres())('Debian’s PostgreSQL in %s', (programs) => {
  let server: Awaited<ReturnType<typeof startDebianPostgres>>;
  beforeAll(async () => {
    server = await startDebianPostgres(programs);
  });
  afterAll(() => server?.close());

  async function createDatabase(): Promise<Database> {
    const name = `legonet_${randomBytes(8).toString('hex')}`;
    const maintenance = openDatabase(server.url, 1);
    await maintenance.pool.query(`CREATE DATABASE ${name}`);
    await maintenance.close();
    const database = openDatabase(Object.assign(new URL(server.url), { pathname: name }).href, 4);
    await migrate(database);
    return database;
  }

  eventLogContract('the embedded log', async () => {
    const database = await createDatabase();
    const opened: { close(): Promise<void> }[] = [];
    const another = async () => {
      const log = new EmbeddedLog(database);
      opened.push(log);
      return log;
    };
    return {
      log: await another(),
      topic: TOPIC,
      partitions: 1,
      another,
      close: async () => {
        await Promise.all(opened.map((log) => log.close()));
        await database.close();
      },
    };
  });

  test('an eventful history ends in the model of what is retained', async () => {
    const model = tinyModel({ adapters: 24 });
    const history = eventfulHistory(model);
    const database = await createDatabase();
    const service = await openTestService(model, database);
    try {
      for (const phase of history.phases) await service.log.append(TOPIC, phase);
      await catchUp(service, new AbortController().signal);
      await expectCaughtUp(database.url, model, history, expectedOf(model, history));
    } finally {
      await service.close();
      await database.close();
    }
  });
});
