import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Parser } from '@asyncapi/parser';
import { describe, expect, test } from 'vitest';
import { asyncApi } from '#src/events/async-api.js';
import { EVENT_TYPES } from '#src/events/schemas.js';
import { planErasure, planTopics } from '#src/log/kafka/policy.js';
import { readSettings } from '#src/settings.js';

const text = readFileSync(join(import.meta.dirname, '../../schemas/asyncapi.json'), 'utf8');
const parser = new Parser();
/** Errors and warnings; that there is a newer AsyncAPI is neither. */
const faults = async (document: string) => {
  const { document: parsed, diagnostics } = await parser.parse(document);
  const grave = diagnostics.filter(({ severity }) => severity <= 1);
  return { parsed, faults: grave.map(({ path, message }) => `${path.join('.')}: ${message}`) };
};

describe('the AsyncAPI document', () => {
  test('is valid by the official parser', async () => {
    const { parsed, faults: found } = await faults(text);
    expect(found).toEqual([]);
    expect(parsed?.version()).toBe('3.0.0');
    expect(parsed?.allChannels().length).toBe(3);
    expect(parsed?.allOperations().length).toBe(4);
  });

  test('would not be if it were wrong', async () => {
    for (const [from, to] of [
      ['"action": "receive"', '"action": "get"'],
      ['"#/channels/deadLetters"', '"#/channels/nowhere"'],
      ['"bindingVersion": "0.5.0"', '"bindingVersion": "9"'],
    ] as const) {
      expect((await faults(text.replace(from, to))).faults).not.toEqual([]);
    }
  });

  test('has every type of event once, in structured mode', () => {
    const channels = Object.values(JSON.parse(text).channels) as { messages: object }[];
    const names = channels.flatMap(({ messages }) => Object.keys(messages));
    const modes = names.filter((name) => name.endsWith('.structured'));
    expect(modes.map((name) => name.replace(/\.structured$/, '')).sort()).toEqual(
      Object.keys(EVENT_TYPES).sort(),
    );
  });

  test('states the policies with which topics are made', () => {
    const { kafka, topics } = readSettings({ KAFKA_BROKERS: 'localhost:9092' });
    if (!kafka) throw new Error('expected Kafka in the settings');
    const plans = planTopics(topics, kafka, planErasure(60_000));
    const channels = Object.values(JSON.parse(text).channels) as {
      address: string;
      bindings: { kafka: { topicConfiguration: Record<string, unknown> } };
    }[];
    expect(channels.map(({ address }) => address.replace('{prefix}', 'legonet.'))).toEqual(
      plans.map(({ topic }) => topic),
    );
    channels.forEach(({ bindings }, i) => {
      const rules = new Map(plans[i]?.rules.map(({ name, value }) => [name, value]));
      for (const [name, value] of Object.entries(bindings.kafka.topicConfiguration)) {
        expect(rules.get(name), name).toBe(String(Array.isArray(value) ? value[0] : value));
      }
    });
  });

  test('is of the version it is made for', () => {
    expect(asyncApi('1.2.3')).toMatchObject({ info: { version: '1.2.3' } });
  });
});
