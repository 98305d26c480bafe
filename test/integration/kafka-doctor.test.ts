import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '#src/log/finding.js';
import { createClient } from '#src/log/kafka/connection.js';
import { heldRoles } from '#src/store/lock.js';
import { readErasures } from '#src/store/status.js';
import { type Environment, legonet, legonetJson } from '../support/cli.js';
import { removeDataDir, temporaryDirectory } from '../support/embedded.js';
import { deletion, ingests } from '../support/http.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { paste } from '../support/kafka-configs.js';
import { QUICK_MS } from '../support/kafka-log.js';
import {
  environmentOf,
  openWorld,
  until,
  untilDone,
  untilProjected,
  type World,
} from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { SCRATCH } from '../support/scratch.js';

const missing = await kafkaMissing();
const model = tinyModel();
/** Where nothing listens. */
const NOWHERE = '127.0.0.1:1';
const ERASURE = 'erasure from the log';

describe.skipIf(missing)('on Kafka', () => {
  let folder: string;
  let world: World;
  let environment: Environment;

  async function openedWorld(deadlineMs?: number) {
    const { brokers } = await testBroker();
    world = await openWorld(brokers, model, deadlineMs === undefined ? {} : { deadlineMs });
    environment = {
      ...environmentOf(world),
      LEGONET_DATA_DIR: folder,
      LEGONET_AUDIT_DIR: join(SCRATCH, 'audit'),
    };
  }

  beforeAll(async () => {
    folder = await temporaryDirectory();
  });
  afterAll(() => removeDataDir(folder));

  async function diagnosed(code: 0 | 1, given: Environment = environment): Promise<Finding[]> {
    const answer = await legonetJson(['doctor'], given, code);
    return (answer as { findings: Finding[] }).findings;
  }

  /** What the doctor does not like, with a non-zero exit code and a remedy each. */
  async function wrong(): Promise<Finding[]> {
    const found = (await diagnosed(1)).filter(({ ok }) => !ok);
    for (const { remedy } of found) expect(remedy).toMatch(/.{10}/);
    return found;
  }

  const append = (records: Parameters<World['log']['append']>[1]) =>
    world.log.append(world.options.topics.sampleEvents, records);

  describe('with everything in order', () => {
    beforeAll(async () => {
      await openedWorld();
      await world.start();
      await append([...ingests(model, 's', 10), deletion('s3')]);
      await untilDone(world);
    });
    afterAll(() => world?.close());

    test('the doctor passes everything, the status has no lag, and both say what they saw', async () => {
      const { sampleEvents, modelVersions, deadLetters } = world.options.topics;
      const findings = await diagnosed(0);
      expect(findings.filter(({ ok }) => !ok)).toEqual([]);
      const named = new Map(findings.map(({ name, detail }) => [name, detail]));
      expect(named.get('kafka')).toMatch(/^1 brokers answer at 127\.0\.0\.1:\d+$/);
      for (const topic of [sampleEvents, modelVersions, deadLetters]) {
        expect(named.get(`topic ${topic}`)).toBe(
          '3 partitions, 1 replicas in sync, settings as they must be',
        );
      }
      expect(named.get('erasure deadline')).toMatch(/= \d+ ms <= 86400000 ms$/);
      expect(named.get('roles')).toMatch(/^project, build, publish at work/);
      expect(await legonetJson(['status'], environment)).toMatchObject({
        retained: 9,
        deleted: 1,
        lag: 0,
        erasuresWaiting: 1,
        erasuresOverdue: 0,
      });
    });

    test.each([
      ['cleanup.policy', 'delete', 'be compact'],
      ['max.compaction.lag.ms', '172800000', 'be at most 21600000'],
      ['message.timestamp.type', 'CreateTime', 'be LogAppendTime'],
    ])('%s changed behind our back is named, and the remedy mends it', async (name, is, must) => {
      const topic = world.options.topics.sampleEvents;
      const tool = `kafka-configs.sh --bootstrap-server ${world.options.kafka.brokers} --alter`;
      await paste(`${tool} --entity-type topics --entity-name ${topic} --add-config ${name}=${is}`);
      const detail = `topic ${topic}: ${name} is ${is} and must ${must}`;
      const found = await wrong();
      expect(found).toMatchObject([{ name: `topic ${topic}`, detail }]);
      const refused = await legonet(['status'], environment);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(detail)]);

      await paste(found[0]?.remedy ?? '');
      expect((await diagnosed(0)).filter(({ ok }) => !ok)).toEqual([]);
    });

    test('brokers that cannot be reached are named, and all that is not theirs is looked at', async () => {
      const cut = { ...environment, KAFKA_BROKERS: NOWHERE };
      const refusals = ['status', 'start'].map((command) => legonet([command], cut));
      const findings = await diagnosed(1, cut);
      expect(findings.filter(({ ok }) => !ok)).toMatchObject([
        {
          name: 'kafka',
          detail: expect.stringContaining('KAFKA_BROKERS'),
          remedy: expect.stringContaining('Kafka is down'),
        },
        { name: 'lag', remedy: expect.stringContaining('operations.md') },
      ]);
      expect(findings.map(({ name }) => name)).toContain(ERASURE);
      for (const command of [['versions'], ['sample', 's1'], ['adapter', '0'], ['deletions']]) {
        await legonetJson(command, cut);
      }
      for (const { code, stderr } of await Promise.all(refusals)) {
        expect([code, stderr]).toEqual([1, expect.stringContaining('KAFKA_BROKERS')]);
      }
    });
  });

  describe('with a transaction that never ends', () => {
    afterAll(() => world?.close());

    test('erasures beyond their deadline are named, and done when it has ended', async () => {
      await openedWorld(QUICK_MS);
      const { database, options } = world;
      await world.start({ roles: ['project', 'build'] });
      const [place] = await append(ingests(model, 's', 1));
      await append([deletion('s0')]);
      await untilProjected(world);
      const kafka = createClient(options.kafka, () => {});
      const producer = kafka.producer({ transactionalId: `${options.kafka.groupId}-open` });
      await producer.connect();
      const transaction = await producer.transaction();
      const [other] = ingests(model, 't', 1);
      const messages = [{ key: 't0', value: Buffer.from(other?.value ?? ''), ...place }];
      await transaction.send({ topic: options.topics.sampleEvents, messages });
      const behind = ingests(model, 'u', 1).map((record) => ({ ...record, ...place }));
      await append(behind);

      await until(world, async () => {
        const erasures = await readErasures(database.pool, options.erasureDeadlineMs);
        return erasures.erasuresOverdue > 0n ? [] : ['no erasure is overdue yet'];
      });
      const idle = await wrong();
      expect(idle.map(({ name }) => name)).toEqual(expect.arrayContaining(['roles', ERASURE]));
      expect(remedyOf(idle)).toMatch(/legonet start.*publish/);

      await world.start({ roles: ['publish'] });
      await until(world, async () => {
        const roles = await heldRoles(database.pool);
        return roles.includes('publish') ? [] : ['nobody publishes yet'];
      });
      const held = await wrong();
      expect(remedyOf(held)).toContain('An erasure is overdue');
      const status = await legonet(['status'], environment);
      // Nobody can read past it, so nobody is behind.
      expect(status.stdout).toMatch(/^Samples +0 retained.*^Lag +0 events/ms);
      expect(status.stdout).toMatch(/1 waiting, the oldest for .*; 1 OVERDUE/);

      await transaction.abort();
      await producer.disconnect();
      await untilDone(world, true);
      expect((await diagnosed(0)).filter(({ ok }) => !ok)).toEqual([]);
      expect(await legonetJson(['status'], environment)).toMatchObject({ retained: 1 });
    });
  });
});

const remedyOf = (findings: readonly Finding[]) =>
  findings.find(({ name }) => name === ERASURE)?.remedy;
