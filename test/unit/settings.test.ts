import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSettings } from '#src/settings.js';

const BROKERS = { KAFKA_BROKERS: 'a:9092, b.example:9093' };
const SASL = {
  KAFKA_SASL_MECHANISM: 'scram-sha-512',
  KAFKA_SASL_USERNAME: 'user',
  KAFKA_SASL_PASSWORD: 'secret',
};
const PEM = '-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----';
const KEY = '-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----';

describe('settings of Kafka', () => {
  test('are absent without brokers, and have defaults with them', () => {
    expect(readSettings({}).kafka).toBeUndefined();
    expect(readSettings(BROKERS).kafka).toEqual({
      brokers: ['a:9092', 'b.example:9093'],
      partitions: 6,
      replicationFactor: undefined,
      minInsyncReplicas: undefined,
      groupId: 'legonet',
      sessionTimeoutMs: 15_000,
    });
    expect(readSettings({}).erasureDeadlineMs).toBe(86_400_000);
    expect(readSettings({ KAFKA_TOPIC_PREFIX: 'x.' }).topics).toEqual({
      sampleEvents: 'x.sample-events',
      modelVersions: 'x.model-versions',
      deadLetters: 'x.dead-letters',
    });
  });

  test('are read with their secrets, also from files', () => {
    const directory = mkdtempSync(join(tmpdir(), 'legonet-test-settings-'));
    const file = join(directory, 'password');
    writeFileSync(file, 'from a file\n');
    const { KAFKA_SASL_PASSWORD: _, ...rest } = SASL;
    const tls = { KAFKA_SSL: 'true', KAFKA_SSL_CA: PEM, KAFKA_SSL_CERT: PEM, KAFKA_SSL_KEY: KEY };
    const { kafka } = readSettings({
      ...BROKERS,
      ...rest,
      ...tls,
      KAFKA_SASL_PASSWORD_FILE: file,
    });
    expect(kafka?.sasl).toEqual({
      mechanism: 'scram-sha-512',
      username: 'user',
      password: 'from a file',
    });
    expect(kafka?.ssl).toEqual({ ca: PEM, cert: PEM, key: KEY });
    expect(readSettings({ ...BROKERS, KAFKA_SSL: 'true' }).kafka?.ssl).toEqual({});
    expect(readSettings({ ...BROKERS, KAFKA_SSL: 'false' }).kafka?.ssl).toBeUndefined();
  });

  test.each<[string, NodeJS.ProcessEnv]>([
    ['KAFKA_BROKERS: expected host:port', { KAFKA_BROKERS: 'kafka' }],
    ['KAFKA_BROKERS: expected host:port', { KAFKA_BROKERS: 'kafka:0' }],
    ['KAFKA_BROKERS: expected host:port', { KAFKA_BROKERS: 'a:1,,b:2' }],
    ['KAFKA_BROKERS: expected host:port', { KAFKA_BROKERS: 'http://a:1' }],
    ['KAFKA_PARTITIONS: expected a whole number, 1 to', { ...BROKERS, KAFKA_PARTITIONS: '0' }],
    [
      'KAFKA_SESSION_TIMEOUT_MS: expected a whole number of milliseconds, 1000 to',
      { ...BROKERS, KAFKA_SESSION_TIMEOUT_MS: '999' },
    ],
    ['KAFKA_GROUP_ID: expected', { ...BROKERS, KAFKA_GROUP_ID: 'a b' }],
    ['KAFKA_SSL: expected true or false', { ...BROKERS, KAFKA_SSL: 'yes' }],
    ['KAFKA_SSL: expected true, for', { ...BROKERS, KAFKA_SSL: 'false', KAFKA_SSL_CA: PEM }],
    ['KAFKA_SSL_CA: expected certificates', { ...BROKERS, KAFKA_SSL: 'true', KAFKA_SSL_CA: 'x' }],
    ['KAFKA_SSL_CA: expected KAFKA_SSL to be', { ...BROKERS, KAFKA_SSL_CA: PEM }],
    ['KAFKA_SSL_KEY to be', { ...BROKERS, KAFKA_SSL: 'true', KAFKA_SSL_CERT: PEM }],
    ['KAFKA_SSL_CERT to be', { ...BROKERS, KAFKA_SSL: 'true', KAFKA_SSL_KEY: KEY }],
    ['KAFKA_SASL_MECHANISM: expected one of', { ...BROKERS, KAFKA_SASL_MECHANISM: 'gssapi' }],
    ['KAFKA_SASL_MECHANISM: expected KAFKA_BROKERS', SASL],
    ['KAFKA_SASL_PASSWORD to be', { ...BROKERS, ...SASL, KAFKA_SASL_PASSWORD: '' }],
    ['KAFKA_SASL_MECHANISM to be', { ...BROKERS, KAFKA_SASL_USERNAME: 'u' }],
    [
      'KAFKA_MIN_INSYNC_REPLICAS: expected at most',
      { ...BROKERS, KAFKA_REPLICATION_FACTOR: '2', KAFKA_MIN_INSYNC_REPLICAS: '3' },
    ],
    ['LEGONET_ERASURE_DEADLINE_MS: expected', { LEGONET_ERASURE_DEADLINE_MS: '999' }],
  ])('that make no sense are named: %s', (message, environment) => {
    expect(() => readSettings(environment)).toThrow(message);
  });

  test('do not get into the messages of errors', () => {
    const bad = { ...BROKERS, ...SASL, KAFKA_SSL: 'true', KAFKA_SSL_KEY: 'not-a-key' };
    expect(() => readSettings(bad)).toThrow(/^(?!.*(secret|not-a-key))/);
  });
});
