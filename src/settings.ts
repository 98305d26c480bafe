import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ENGINES, type Engine } from './engine/engine.js';
import { LegonetError } from './errors.js';
import { isAddress, type KafkaSettings, kafkaSettings, MECHANISMS } from './kafka-settings.js';

const whole = (minimum: number, maximum: number, unit = 'number') => {
  const expected = `expected a whole ${unit}, ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\d{1,10}$/, expected)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, expected);
};
const DAY_MS = 86_400_000;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const BROKERS = 'expected host:port, several separated by commas';

const pem = (what: string) =>
  z.string().regex(/-----BEGIN [A-Z0-9 ]+-----/, `expected ${what} in PEM text`);

const schema = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database')
    .optional(),
  KAFKA_BROKERS: z
    .string()
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .refine((brokers) => brokers.every(isAddress), BROKERS)
    .optional(),
  KAFKA_TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,200}$/, 'expected up to 200 letters, digits, ". _ -"')
    .default('legonet.'),
  KAFKA_GROUP_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,200}$/, 'expected up to 200 letters, digits, ". _ -"')
    .default('legonet'),
  KAFKA_PARTITIONS: whole(1, 10_000).prefault('6'),
  KAFKA_REPLICATION_FACTOR: whole(1, 100).optional(),
  KAFKA_MIN_INSYNC_REPLICAS: whole(1, 100).optional(),
  KAFKA_SESSION_TIMEOUT_MS: whole(1000, 1_800_000, 'number of milliseconds').prefault('15000'),
  KAFKA_SASL_MECHANISM: z.enum(MECHANISMS, `expected one of ${MECHANISMS.join(', ')}`).optional(),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().optional(),
  KAFKA_SSL: z.enum(['true', 'false'], 'expected true or false').optional(),
  KAFKA_SSL_CA: pem('certificates').optional(),
  KAFKA_SSL_CERT: pem('a certificate').optional(),
  KAFKA_SSL_KEY: pem('a private key').optional(),
  LEGONET_DATA_DIR: z.string().min(1).default('.legonet'),
  LEGONET_MODEL: z.string().min(1).optional(),
  LEGONET_ENGINE: z.enum(ENGINES, `expected one of ${ENGINES.join(', ')}`).optional(),
  LEGONET_BUILD_DELAY_MS: whole(0, DAY_MS, 'number of milliseconds').prefault('1000'),
  LEGONET_ERASURE_DEADLINE_MS: whole(1000, 90 * DAY_MS, 'number of milliseconds').prefault(
    String(DAY_MS),
  ),
  LEGONET_HTTP_HOST: z
    .string()
    .regex(/^[A-Za-z0-9._:-]+$/, 'expected a host name or an IP address')
    .default('127.0.0.1'),
  LEGONET_HTTP_PORT: whole(0, 65_535).prefault('7070'),
  LEGONET_HTTP_RATE: whole(1, 1_000_000_000, 'number of requests').prefault('60000'),
  LEGONET_SIGNING_KEY: z
    .string()
    .regex(/^PRIVATE\+KEY\+/, 'expected a key as `legonet keygen` writes it')
    .optional(),
  LEGONET_LOG_ORIGIN: z
    .string()
    .regex(/^[^\s+]{1,200}$/u, 'expected up to 200 characters, no space and no plus sign')
    .optional(),
  LEGONET_AUDIT_DIR: z.string().min(1).optional(),
  LEGONET_TOKENS_FILE: z.string().min(1).optional(),
  LEGONET_STALLED_AFTER_MS: whole(1000, DAY_MS, 'number of milliseconds').prefault('60000'),
  LOG_LEVEL: z.enum(LEVELS, `expected one of ${LEVELS.join(', ')}`).default('info'),
});
export type Values = z.infer<typeof schema>;
type Name = keyof Values;

/** Settings that may hold a secret: each is also read from the file that NAME_FILE names. */
const SECRETS = [
  'DATABASE_URL',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'KAFKA_SSL_CA',
  'KAFKA_SSL_CERT',
  'KAFKA_SSL_KEY',
  'LEGONET_SIGNING_KEY',
] as const satisfies readonly Name[];

export type Topics = {
  readonly sampleEvents: string;
  readonly modelVersions: string;
  readonly deadLetters: string;
};

export type HttpSettings = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Requests a minute of one token, or of one address without. */
  readonly ratePerMinute: number;
  /** Undefined: the token in the data directory, if that is in use. */
  readonly tokensFile: string | undefined;
  /** How long work may wait without any of it being done before the process is not ready. */
  readonly stalledAfterMs: number;
};

/** How the audit log is signed. */
export type AuditSettings = {
  /** A signed-note signer key; undefined: the log's own in `directory`. */
  readonly signingKey: string | undefined;
  /** The file that it came from: read again when the key is rotated. */
  readonly signingKeyFile: string | undefined;
  /** The name of the log and of the key that is made for it; undefined: of any key. */
  readonly origin: string | undefined;
  /** Where each log has its last signed checkpoint, and its key if none is set. */
  readonly directory: string;
};

export type Settings = {
  /** Undefined: the embedded server in the data directory. */
  readonly databaseUrl: string | undefined;
  /** Undefined: the log is in the database. */
  readonly kafka: KafkaSettings | undefined;
  readonly topics: Topics;
  readonly dataDir: string;
  /** Path of MODEL.json, to be put in force by `start` if none is. */
  readonly model: string | undefined;
  /** Undefined: native where it is installed, else wasm. Read by models that need one. */
  readonly engine: Engine | undefined;
  readonly buildDelayMs: number;
  /** From the deletion of a sample until its payload is gone from the log. */
  readonly erasureDeadlineMs: number;
  readonly audit: AuditSettings;
  readonly http: HttpSettings;
  readonly logLevel: string;
};

/** Reads settings from the environment. Throws `invalid_setting` naming it and what was expected. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const read: NodeJS.ProcessEnv = { ...environment };
  for (const name of SECRETS) {
    const file = environment[`${name}_FILE`];
    if (file) read[name] = readSecret(name, file);
  }
  // An empty variable is an unset one, as `NAME= command` means to most people.
  const given = Object.fromEntries(Object.entries(read).filter(([, value]) => value !== ''));
  const result = schema.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new LegonetError('invalid_setting', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const values = result.data;
  const prefix = values.KAFKA_TOPIC_PREFIX;
  const dataDir = resolve(values.LEGONET_DATA_DIR);
  return {
    databaseUrl: values.DATABASE_URL,
    kafka: kafkaSettings(values),
    topics: {
      sampleEvents: `${prefix}sample-events`,
      modelVersions: `${prefix}model-versions`,
      deadLetters: `${prefix}dead-letters`,
    },
    dataDir,
    model: values.LEGONET_MODEL,
    engine: values.LEGONET_ENGINE,
    buildDelayMs: values.LEGONET_BUILD_DELAY_MS,
    erasureDeadlineMs: values.LEGONET_ERASURE_DEADLINE_MS,
    audit: {
      signingKey: values.LEGONET_SIGNING_KEY,
      signingKeyFile: environment.LEGONET_SIGNING_KEY_FILE || undefined,
      origin: values.LEGONET_LOG_ORIGIN,
      directory: resolve(values.LEGONET_AUDIT_DIR ?? join(dataDir, 'audit')),
    },
    http: {
      host: values.LEGONET_HTTP_HOST,
      port: values.LEGONET_HTTP_PORT,
      ratePerMinute: values.LEGONET_HTTP_RATE,
      tokensFile: values.LEGONET_TOKENS_FILE,
      stalledAfterMs: values.LEGONET_STALLED_AFTER_MS,
    },
    logLevel: values.LOG_LEVEL,
  };
}

/** The text of a secret's file. Throws `invalid_setting`. */
export function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new LegonetError('invalid_setting', `${name}_FILE: cannot read ${file}`, 'terminal', {
      cause,
    });
  }
}
