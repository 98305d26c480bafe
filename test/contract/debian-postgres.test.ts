import { afterAll, beforeAll, describe, test } from 'vitest';
import { catchUp } from '#src/service/catch-up.js';
import { openDatabase } from '#src/store/database.js';
import { migrate } from '#src/store/migrate.js';
import { expectCaughtUp } from '../support/caught-up.js';
import { createTestDatabase } from '../support/database.js';
import { debianPostgres, startDebianPostgres } from '../support/debian-postgres.js';
import { openEmbeddedLogs, TOPIC } from '../support/embedded-log.js';
import { eventfulHistory, expectedOf } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { openTestService } from '../support/service.js';
import { eventLogContract } from './event-log.js';

describe.each(await debianPostgres())('Debian’s PostgreSQL in %s', (programs) => {
  let server: Awaited<ReturnType<typeof startDebianPostgres>>;
  beforeAll(async () => {
    server = await startDebianPostgres(programs);
  });
  afterAll(() => server?.close());

  async function createDatabase() {
    const created = await createTestDatabase({
      server: { url: server.url, template: 'template0' },
    });
    const database = openDatabase(created.url, 1);
    await migrate(database);
    await database.close();
    return created;
  }

  eventLogContract('the embedded log', async () => openEmbeddedLogs(await createDatabase()));

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
    }
  });
});
