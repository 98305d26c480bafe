import { LegonetError } from './errors.js';
import type { Values } from './settings.js';

export const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

type Name = keyof Values;

/** Settings that make no sense unless another one is there. */
const REQUIRED: readonly (readonly [Name, Name])[] = [
  ['KAFKA_SASL_MECHANISM', 'KAFKA_BROKERS'],
  ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME'],
  ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_PASSWORD'],
  ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_MECHANISM'],
  ['KAFKA_SASL_PASSWORD', 'KAFKA_SASL_MECHANISM'],
  ['KAFKA_SSL', 'KAFKA_BROKERS'],
  ['KAFKA_SSL_CA', 'KAFKA_SSL'],
  ['KAFKA_SSL_CERT', 'KAFKA_SSL'],
  ['KAFKA_SSL_CERT', 'KAFKA_SSL_KEY'],
  ['KAFKA_SSL_KEY', 'KAFKA_SSL'],
  ['KAFKA_SSL_KEY', 'KAFKA_SSL_CERT'],
  ['KAFKA_REPLICATION_FACTOR', 'KAFKA_BROKERS'],
  ['KAFKA_MIN_INSYNC_REPLICAS', 'KAFKA_BROKERS'],
];

/** How to reach Kafka, and how topics are made there. */
export type KafkaSettings = {
  /** host:port each. */
  readonly brokers: readonly string[];
  readonly sasl?: {
    readonly mechanism: (typeof MECHANISMS)[number];
    readonly username: string;
    readonly password: string;
  };
  /** TLS, with PEM texts: certificates to trust besides the system's, and ours to show. */
  readonly ssl?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly partitions: number;
  /** Undefined: the broker's default. */
  readonly replicationFactor: number | undefined;
  readonly minInsyncReplicas: number | undefined;
  readonly groupId: string;
  /** Without a sign of life for so long, a process loses its partitions to the others. */
  readonly sessionTimeoutMs: number;
};

/** Undefined: no Kafka. Throws `invalid_setting` for settings that do not go together. */
export function kafkaSettings(values: Values): KafkaSettings | undefined {
  for (const [name, other] of REQUIRED) {
    if (values[name] !== undefined && values[other] === undefined) {
      throw new LegonetError('invalid_setting', `${name}: expected ${other} to be set as well`);
    }
  }
  const { KAFKA_SSL: ssl, KAFKA_SSL_CA: ca, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key } = values;
  if (ssl === 'false' && (ca ?? cert) !== undefined) {
    throw new LegonetError('invalid_setting', 'KAFKA_SSL: expected true, for certificates are set');
  }
  const [factor, insync] = [values.KAFKA_REPLICATION_FACTOR, values.KAFKA_MIN_INSYNC_REPLICAS];
  if (factor !== undefined && insync !== undefined && insync > factor) {
    throw new LegonetError(
      'invalid_setting',
      `KAFKA_MIN_INSYNC_REPLICAS: expected at most KAFKA_REPLICATION_FACTOR, ${factor}`,
    );
  }
  if (!values.KAFKA_BROKERS) return undefined;
  const { KAFKA_SASL_USERNAME: username = '', KAFKA_SASL_PASSWORD: password = '' } = values;
  const mechanism = values.KAFKA_SASL_MECHANISM;
  return {
    brokers: values.KAFKA_BROKERS,
    ...(mechanism && { sasl: { mechanism, username, password } }),
    ...(ssl === 'true' && {
      ssl: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    }),
    partitions: values.KAFKA_PARTITIONS,
    replicationFactor: factor,
    minInsyncReplicas: insync,
    groupId: values.KAFKA_GROUP_ID,
    sessionTimeoutMs: values.KAFKA_SESSION_TIMEOUT_MS,
  };
}

/** Whether it is host:port. IPv6 only by name: kafkajs cuts at the first colon. */
export function isAddress(text: string): boolean {
  const [, port = '0'] = /^[A-Za-z0-9._-]+:(\d{1,5})$/.exec(text) ?? [];
  return Number(port) >= 1 && Number(port) <= 65_535;
}
