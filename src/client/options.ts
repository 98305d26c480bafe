import { resolve } from 'node:path';
import { LegonetError } from '../errors.js';
import { readSettings, type Settings } from '../settings.js';

/** How to reach Kafka. What an option may be is what the setting of its name may be (KAFKA_...). */
export type KafkaOptions = {
  /** host:port each. */
  readonly brokers: readonly string[];
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  /** TLS: true, or PEM texts: certificates to trust besides the system's, and ours to show. */
  readonly ssl?: boolean | { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Readers' consumer groups begin so; default `legonet`. */
  readonly groupId?: string;
};

/** The log in a database of your own. */
export type DatabaseOptions = { readonly databaseUrl: string };

/** The log in the embedded database of a data directory, joined or started. */
export type DataDirOptions = { readonly dataDir: string };

/** Where the log is: the same place that Legonet itself is set to. */
export type LogOptions = (KafkaOptions | DatabaseOptions | DataDirOptions) & {
  /** Default `legonet.`. */
  readonly topicPrefix?: string;
};

/** The options as settings. Throws `invalid_setting` naming the setting and what was expected. */
export function toSettings(options: LogOptions): Settings {
  const { topicPrefix } = options;
  const common = topicPrefix === undefined ? {} : { KAFKA_TOPIC_PREFIX: topicPrefix };
  if ('brokers' in options) return readSettings({ ...common, ...kafkaVariables(options) });
  if ('databaseUrl' in options) {
    return readSettings({ ...common, DATABASE_URL: expected(options.databaseUrl, 'databaseUrl') });
  }
  return readSettings({ ...common, LEGONET_DATA_DIR: expected(options.dataDir, 'dataDir') });
}

function kafkaVariables({ brokers, sasl, ssl, groupId }: KafkaOptions): Record<string, string> {
  const given = typeof ssl === 'object' ? ssl : {};
  const variables = {
    KAFKA_BROKERS: expected(brokers.join(','), 'brokers'),
    KAFKA_GROUP_ID: groupId,
    KAFKA_SASL_MECHANISM: sasl?.mechanism,
    KAFKA_SASL_USERNAME: sasl?.username,
    KAFKA_SASL_PASSWORD: sasl?.password,
    KAFKA_SSL: ssl ? 'true' : undefined,
    KAFKA_SSL_CA: given.ca,
    KAFKA_SSL_CERT: given.cert,
    KAFKA_SSL_KEY: given.key,
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}

/** An empty variable is an unset one, and would mean the default: never what an empty option means. */
function expected(value: string, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new LegonetError('invalid_option', `${name}: expected where the log is, found nothing`);
}

/** Names the log: two options with the same name mean the same log. */
export function nameLog({ kafka, databaseUrl, dataDir, topics }: Settings): string {
  const place = kafka ? [...kafka.brokers].sort().join(',') : (databaseUrl ?? resolve(dataDir));
  return `${place} ${topics.sampleEvents}`;
}
