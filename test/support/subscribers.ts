import { Subscriber, type SubscriberOptions, type Update } from '#src/index.js';
import { plainKernel } from '#src/kernel/plain.js';
import type { Model } from '#src/model/model.js';
import { createModel } from '#src/model/model.js';
import { type Prediction, predict } from '#src/model/predict.js';
import { loadServedModel } from '#src/store/served-model.js';
import { deletion, ingests, openTestHttp, type TestHttp, token } from './http.js';
import { configuration, syntheticRows } from './models.js';
import { startProxy, type TestProxy } from './proxy.js';

export const ADAPTERS = 24;
export const ACTIVATED = 3;

/** Encodings of four numbers, keys of a seed. */
export const MODEL: Model = createModel(
  configuration({
    encoder: { kind: 'identity', dimension: 8, scale: 1 },
    keys: { kind: 'random', seed: 'subscribers' },
    adapters: ADAPTERS,
    activated: ACTIVATED,
  }),
  {},
);

/** Encodings to predict, quantised. */
export const PROBES: readonly Int8Array[] = (() => {
  const { encodings } = syntheticRows('probes', 40, 8, 3);
  return Array.from({ length: 40 }, (_, i) => encodings.slice(i * 8, (i + 1) * 8));
})();

/** A real server behind a proxy, and subscribers to it. */
export type Scene = TestHttp & {
  readonly proxy: TestProxy;
  readonly troubles: unknown[];
  subscribe(options?: Partial<SubscriberOptions>): Promise<Subscriber>;
  /** Publishes a version without the sample, or with some more. */
  deleteSample(sampleId: string): Promise<void>;
  ingest(prefix: string, count: number): Promise<void>;
  /** What the server's own copy of the newest version predicts. */
  expected(): Promise<Prediction[]>;
};

export async function openScene(model = MODEL): Promise<Scene> {
  const http = await openTestHttp(model);
  const proxy = await startProxy(http.server.url);
  const subscribers: Subscriber[] = [];
  const troubles: unknown[] = [];
  const { append, catchUp } = http;
  return {
    ...http,
    proxy,
    troubles,
    subscribe: async (options = {}) => {
      const subscriber = await Subscriber.open({
        name: 'test',
        url: proxy.url,
        token: token('all'),
        onTrouble: (error) => troubles.push(error),
        ...options,
      });
      subscribers.push(subscriber);
      return subscriber;
    },
    deleteSample: async (sampleId) => {
      await append([deletion(sampleId)]);
      await catchUp();
    },
    ingest: async (prefix, count) => {
      await append(ingests(model, prefix, count));
      await catchUp();
    },
    expected: async () => {
      const served = await loadServedModel(http.service.database, model);
      if (!served) throw new Error('nothing is published');
      const rows = Int8Array.from(PROBES.flatMap((probe) => [...probe]));
      return predict(plainKernel, model, served.weights, rows, PROBES.length);
    },
    close: async () => {
      for (const subscriber of subscribers) await subscriber.close();
      await proxy.close();
      await http.close();
    },
  };
}

/** Reads updates until one says so. */
export async function until(
  updates: AsyncIterableIterator<Update>,
  said: (update: Update) => boolean,
): Promise<Update[]> {
  const seen: Update[] = [];
  for (;;) {
    const next = await updates.next();
    if (next.done) throw new Error(`ended after ${JSON.stringify(seen)}`);
    seen.push(next.value);
    if (said(next.value)) return seen;
  }
}

export const adopts =
  (version: number) =>
  (update: Update): boolean =>
    update.kind === 'adopted' && update.version === version;
