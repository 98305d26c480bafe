import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRecord } from '#src/events/read-record.js';
import { Producer, Subscriber } from '#src/index.js';
import { KafkaLog } from '#src/log/kafka/log.js';
import { startServer } from '#src/serve/server.js';
import { catchUp } from '#src/service/catch-up.js';
import { loadServedModel } from '#src/store/served-model.js';
import { token, tokens } from '../support/http.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logOptions } from '../support/kafka-log.js';
import { syntheticRows } from '../support/models.js';
import { startProxy } from '../support/proxy.js';
import { readLog } from '../support/read-log.js';
import { openTestService } from '../support/service.js';
import { ACTIVATED, adopts, MODEL, PROBES, until } from '../support/subscribers.js';

const NEVER = new AbortController().signal;

/** A service whose log is Kafka, and its HTTP. */
async function openKafkaScene() {
  const { brokers } = await testBroker();
  const options = logOptions(brokers);
  const log = await KafkaLog.open(options);
  const base = await openTestService(MODEL);
  const service = { ...base, log, settings: { ...base.settings, topics: options.topics } };
  const { database, logger, kernel, encoder, settings } = service;
  const server = await startServer(
    {
      database,
      log,
      logger,
      kernel,
      encoder,
      engine: null,
      ratePerMinute: settings.http.ratePerMinute,
      model: MODEL,
      topics: options.topics,
      erasureDeadlineMs: options.erasureDeadlineMs,
      access: { tokens, openMetrics: true, localToken: null },
      readiness: async () => ({ ready: true, reasons: [], warnings: [] }),
      metrics: { contentType: 'text/plain', read: async () => '' },
    },
    { host: '127.0.0.1', port: 0 },
  );
  const proxy = await startProxy(server.url);
  return {
    brokers,
    topicPrefix: options.topics.sampleEvents.replace('sample-events', ''),
    topics: options.topics,
    log,
    proxy,
    catchUp: () => catchUp(service, NEVER),
    served: () => loadServedModel(database, MODEL),
    close: async () => {
      await proxy.close();
      await server.close();
      await log.close();
      await base.close();
    },
  };
}

describe.skipIf(await kafkaMissing())('with Kafka', () => {
  let scene: Awaited<ReturnType<typeof openKafkaScene>>;

  beforeAll(async () => {
    scene = await openKafkaScene();
  });
  afterAll(() => scene?.close());

  test('a producer puts records where it says, a subscriber hears by the topic and fetches by HTTP', async () => {
    const { brokers, topicPrefix, proxy } = scene;
    const producer = await Producer.open({ brokers, topicPrefix });
    await expect(Producer.open({ brokers, topicPrefix })).rejects.toMatchObject({
      code: 'producer_exists',
    });
    const { encodings, labels } = syntheticRows('kafka', 60, 8, 3);
    const sent = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        producer.ingest({
          sampleId: `s${i}`,
          label: MODEL.configuration.classes[labels[i] ?? 0] ?? '',
          encoding: encodings.slice(8 * i, 8 * i + 8),
        }),
      ),
    );
    expect(new Set(sent.map(({ partition }) => partition)).size).toBeGreaterThan(1);
    const found = new Map(
      (await readLog(scene.log, scene.topics.sampleEvents)).map((record) => {
        const result = readRecord(record);
        const id = result.ok ? result.event.eventId : result.error.message;
        return [`${record.partition}:${record.position}`, id];
      }),
    );
    expect(sent.map(({ partition, position }) => found.get(`${partition}:${position}`))).toEqual(
      sent.map(({ id }) => id),
    );

    await scene.catchUp();
    const troubles: unknown[] = [];
    const subscriber = await Subscriber.open({
      name: 'kafka',
      brokers,
      topicPrefix,
      url: proxy.url,
      token: token('all'),
      onTrouble: (error) => troubles.push(error),
    });
    const updates = subscriber.updates();
    expect(subscriber.version).toBe(1);
    await until(updates, ({ kind }) => kind === 'connected');
    proxy.paths.length = 0;
    await producer.delete({ sampleId: 's7' });
    await producer.close();
    await scene.catchUp();
    await until(updates, adopts(2));
    const served = await scene.served();
    expect(subscriber.modelDigest).toBe(served?.modelDigest);
    expect(subscriber.predict(PROBES).version).toBe(2);
    expect(proxy.paths.filter((path) => path.startsWith('/v1/weights/'))).toHaveLength(ACTIVATED);
    expect(proxy.paths).not.toContain('/v1/versions/stream');
    await subscriber.close();
    expect(troubles).toEqual([]);
  });

  test('a topic that is not there is an error to the caller', async () => {
    const producer = await Producer.open({ brokers: scene.brokers, topicPrefix: 'nobody-has.' });
    await expect(producer.delete({ sampleId: 'x' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(topic_missing|log_unreachable)$/),
    });
    await producer.close();
  });
});
