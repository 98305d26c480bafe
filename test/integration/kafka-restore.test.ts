import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepSigner } from '#src/publish/keep-signer.js';
import { logDirectory } from '#src/publish/signer.js';
import { readSettings } from '#src/settings.js';
import { openDatabase } from '#src/store/database.js';
import { readStatus } from '#src/store/status.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { deletion, ingests } from '../support/http.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logOptions, QUICK_MS } from '../support/kafka-log.js';
import { openWorld, untilDone, type World } from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { SCRATCH } from '../support/scratch.js';

const missing = await kafkaMissing();
const model = tinyModel();

describe.skipIf(missing)('a database that is restored, with the log on Kafka', () => {
  const databases: TestDatabase[] = [];
  let brokers: readonly string[];
  let environment: Record<string, string>;

  beforeAll(async () => {
    ({ brokers } = await testBroker());
    const { topics, kafka } = logOptions(brokers);
    const prefix = topics.sampleEvents.slice(0, -'sample-events'.length);
    environment = { KAFKA_TOPIC_PREFIX: prefix, KAFKA_GROUP_ID: kafka.groupId };
  });
  afterAll(async () => {
    for (const { drop } of databases) await drop();
  });

  async function made(from?: TestDatabase): Promise<TestDatabase> {
    const template = from && { template: new URL(from.url).pathname.slice(1) };
    const database = await createTestDatabase(template);
    databases.push(database);
    return database;
  }

  /** Works on the same topics with a database, until all is done and erased; what it then holds. */
  async function worked(
    { url }: TestDatabase,
    records: (world: World) => Parameters<World['log']['append']>[1],
  ) {
    const world = await openWorld(brokers, model, { url, environment, deadlineMs: QUICK_MS });
    try {
      await world.start();
      await world.log.append(world.options.topics.sampleEvents, records(world));
      await untilDone(world, true);
      const { modelDigest, retained, version } = await readStatus(world.database.pool);
      const gone = await world.database.pool.query('SELECT sample_id FROM tombstones ORDER BY 1');
      return { modelDigest, retained, version, gone: gone.rows.map(({ sample_id }) => sample_id) };
    } finally {
      await world.close();
    }
  }

  /** Throws unless the checkpoint has kept the database from being signed. */
  async function loseCheckpoint({ url }: TestDatabase): Promise<void> {
    const settings = readSettings({ DATABASE_URL: url, LEGONET_DATA_DIR: SCRATCH });
    const database = openDatabase(url, 2);
    try {
      const refused = { code: expect.stringMatching(/^log_(behind|forked)$/) };
      await expect(keepSigner(settings, database)()).rejects.toMatchObject(refused);
      await rm(join(await logDirectory(settings, database), 'checkpoint'));
    } finally {
      await database.close();
    }
  }

  test('hears from the log all that came after the backup, though it was compacted meanwhile', async () => {
    const lived = await made();
    const before = await worked(lived, () => [...ingests(model, 's', 20), deletion('s0')]);
    const backup = await made(lived);
    const after = await worked(lived, () => [
      ...ingests(model, 't', 5),
      deletion('s1'),
      { key: 's2', value: null },
      deletion('t3'),
    ]);
    expect(after.gone).toEqual(['s0', 's1', 's2', 't3']);
    expect(after.retained).toBe(21n);
    expect(after.modelDigest).not.toBe(before.modelDigest);
    // It is behind what was signed. Nothing newer is there, so an operator takes the checkpoint away.
    await loseCheckpoint(backup);
    const { version, ...restored } = await worked(backup, () => []);
    expect(restored).toEqual({
      modelDigest: after.modelDigest,
      retained: after.retained,
      gone: after.gone,
    });
    expect(version).toBeGreaterThan(before.version ?? 0);
  });
});
