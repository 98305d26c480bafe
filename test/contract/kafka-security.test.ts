import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '#src/log/kafka/connection.js';
import { KafkaLog } from '#src/log/kafka/log.js';
import { type Certificates, makeCertificates } from '../support/certificates.js';
import { kafkaMissing } from '../support/kafka.js';
import { type Cluster, startCluster } from '../support/kafka-broker.js';
import { logOptions } from '../support/kafka-log.js';
import { readLog } from '../support/read-log.js';

const missing = await kafkaMissing();
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
const WHERE = 'listener.name.plaintext';

describe.skipIf(missing)('a broker with TLS, SASL and access rules', () => {
  let certificates: Certificates;
  let cluster: Cluster;
  let tls: Record<string, string>;

  beforeAll(async () => {
    certificates = makeCertificates();
    const { directory, ca, server, client } = certificates;
    const keystore = join(directory, 'keystore.pem');
    const truststore = join(directory, 'truststore.pem');
    await writeFile(keystore, `${server.key}\n${server.cert}`);
    await writeFile(truststore, ca);
    tls = {
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA: ca,
      KAFKA_SSL_CERT: client.cert,
      KAFKA_SSL_KEY: client.key,
    };
    const user = (mechanism: string, name: string) =>
      ['--add-scram', `${mechanism}=[name=${name},password=pass-word]`] as const;
    cluster = await startCluster({
      settings: {
        // The listener's name stays; what it speaks is TLS with SASL.
        'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        [`${WHERE}.plain.sasl.jaas.config`]: `${PLAIN} username="admin" password="pass-word" user_admin="pass-word" user_plain="pass-word" user_nobody="pass-word";`,
        [`${WHERE}.scram-sha-256.sasl.jaas.config`]: SCRAM,
        [`${WHERE}.scram-sha-512.sasl.jaas.config`]: SCRAM,
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': keystore,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': truststore,
        [`${WHERE}.ssl.client.auth`]: 'required',
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:admin;User:plain;User:short;User:long;User:ANONYMOUS',
      },
      format: [...user('SCRAM-SHA-256', 'short'), ...user('SCRAM-SHA-512', 'long')],
    });
  });
  afterAll(async () => {
    await cluster?.close();
    await rm(certificates.directory, { recursive: true, force: true });
  });

  const as = (mechanism: string, username: string, password = 'pass-word') =>
    logOptions(cluster.brokers, {
      environment: {
        ...tls,
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_USERNAME: username,
        KAFKA_SASL_PASSWORD: password,
      },
    });

  test.each([
    ['plain', 'plain'],
    ['scram-sha-256', 'short'],
    ['scram-sha-512', 'long'],
  ])('is written to and read from with %s', async (mechanism, username) => {
    const options = as(mechanism, username);
    const log = await KafkaLog.open(options);
    const topic = options.topics.sampleEvents;
    await log.append(topic, [{ key: 'a', value: Buffer.from('1') }]);
    expect((await readLog(log, topic)).map(({ value }) => String(value))).toEqual(['1']);
    await log.close();
  });

  test.each([
    ['plain', 'plain'],
    ['scram-sha-256', 'short'],
    ['scram-sha-512', 'long'],
  ])('does not let in a wrong password with %s', async (mechanism, username) => {
    await expect(KafkaLog.open(as(mechanism, username, 'wrong'))).rejects.toMatchObject({
      code: 'log_denied',
      retry: 'terminal',
      message: expect.not.stringContaining('wrong'),
    });
  });

  test('is not reached without its authority, nor without a certificate of ours', async () => {
    const { ca: _, ...withoutAuthority } = as('plain', 'plain').kafka.ssl ?? {};
    const { ca } = certificates;
    for (const ssl of [withoutAuthority, { ca }]) {
      const options = as('plain', 'plain');
      const kafka = { ...options.kafka, ssl };
      await expect(KafkaLog.open({ ...options, kafka })).rejects.toMatchObject({
        code: 'log_unreachable',
      });
    }
  });

  test('that hides its settings and those of topics is used, and the findings say so', async () => {
    const options = as('plain', 'plain');
    const all = await KafkaLog.open(options);
    await all.close();
    const admin = createClient(options.kafka, () => {}).admin();
    await admin.connect();
    const rule = (resourceType: 2 | 3, resourceName: string, operation: 3 | 4 | 8) => ({
      ...{ resourceType, resourceName, operation, resourcePatternType: 4 as const },
      ...{ principal: 'User:nobody', host: '*', permissionType: 3 as const },
    });
    const prefix = options.topics.sampleEvents.replace('sample-events', '');
    const [READ, WRITE, DESCRIBE] = [3, 4, 8] as const;
    await admin.createAcls({
      acl: [
        rule(2, prefix, READ),
        rule(2, prefix, WRITE),
        rule(2, prefix, DESCRIBE),
        rule(3, options.kafka.groupId, READ),
      ],
    });
    await admin.disconnect();
    const { sasl } = as('plain', 'nobody').kafka;
    const heard: string[] = [];
    const log = await KafkaLog.open({
      ...options,
      kafka: { ...options.kafka, ...(sasl && { sasl }) },
      onLog: ({ message }) => heard.push(message),
    });
    expect(heard).toContainEqual(expect.stringContaining('may not read the settings'));
    const findings = await log.examine();
    expect(findings.every(({ ok }) => ok)).toBe(true);
    expect(findings.find(({ name }) => name === 'erasure deadline')?.detail).toContain('not known');
    const topic = options.topics.sampleEvents;
    await log.append(topic, [{ key: 'a', value: Buffer.from('1') }]);
    expect(await readLog(log, topic)).toHaveLength(1);
    await log.close();

    const other = as('plain', 'nobody');
    await expect(KafkaLog.open(other)).rejects.toMatchObject({
      code: expect.stringMatching(/^(topic_not_made|log_denied)$/),
    });
  });
});
