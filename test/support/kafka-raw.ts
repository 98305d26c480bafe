import type { KafkaSettings } from '#src/kafka-settings.js';
import { createClient } from '#src/log/kafka/connection.js';
import { cut } from '#src/log/kafka/records.js';

/** A record of whatever bytes. */
export type RawRecord = {
  readonly key: Buffer;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string>>;
};

const LIMITS = { items: 1000, size: 900_000 };

/** A producer that is not ours: it checks nothing. */
export async function rawProducer(kafka: KafkaSettings) {
  const producer = createClient(kafka, () => {}).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return {
    /** Returns the position of the first one. */
    async send(topic: string, partition: number, records: readonly RawRecord[]): Promise<bigint> {
      let first: bigint | undefined;
      for (const part of cut(records, ({ value }) => value?.length ?? 0, LIMITS)) {
        const messages = part.map((one) => ({ ...one, headers: { ...one.headers }, partition }));
        const [answer] = await producer.send({ topic, messages, acks: -1 });
        first ??= BigInt(answer?.baseOffset ?? -1);
      }
      return first ?? -1n;
    },
    close: () => producer.disconnect(),
  };
}
