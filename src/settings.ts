import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { LegonetError } from './errors.js';

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

const schema = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database')
    .optional(),
  KAFKA_TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]*$/, 'expected letters, digits, ". _ -"')
    .default('legonet.'),
  LEGONET_DATA_DIR: z.string().min(1).default('.legonet'),
  LEGONET_MODEL: z.string().min(1).optional(),
  LEGONET_BUILD_DELAY_MS: whole(0, DAY_MS, 'number of milliseconds').prefault('1000'),
  LEGONET_ERASURE_DEADLINE_MS: whole(1000, 90 * DAY_MS, 'number of milliseconds').prefault(
    String(DAY_MS),
  ),
  LEGONET_HTTP_HOST: z
    .string()
    .regex(/^[A-Za-z0-9._:-]+$/, 'expected a host name or an IP address')
    .default('127.0.0.1'),
  LEGONET_HTTP_PORT: whole(0, 65_535).prefault('7070'),
  LEGONET_TOKENS_FILE: z.string().min(1).optional(),
  LEGONET_STALLED_AFTER_MS: whole(1000, DAY_MS, 'number of milliseconds').prefault('60000'),
  LOG_LEVEL: z.enum(LEVELS, `expected one of ${LEVELS.join(', ')}`).default('info'),
});

/** Settings that may hold a secret: each is also read from the file that NAME_FILE names. */
const SECRETS = ['DATABASE_URL'];

export type Topics = {
  readonly sampleEvents: string;
  readonly modelVersions: string;
  readonly deadLetters: string;
};

export type HttpSettings = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Undefined: the token in the data directory, if that is in use. */
  readonly tokensFile: string | undefined;
  /** How long work may wait without any of it being done before the process is not ready. */
  readonly stalledAfterMs: number;
};

export type Settings = {
  /** Undefined: the embedded server in the data directory. */
  readonly databaseUrl: string | undefined;
  readonly topics: Topics;
  readonly dataDir: string;
  /** Path of MODEL.json, to be put in force by `start` if none is. */
  readonly model: string | undefined;
  readonly buildDelayMs: number;
  /** From the deletion of a sample until its payload is gone from the log. */
  readonly erasureDeadlineMs: number;
  readonly http: HttpSettings;
  readonly logLevel: string;
};

/** Reads settings from the environment. Throws `invalid_setting` naming it and what was expected. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const values: NodeJS.ProcessEnv = { ...environment };
  for (const name of SECRETS) {
    const file = environment[`${name}_FILE`];
    if (file) values[name] = readSecret(name, file);
  }
  // An empty variable is an unset one, as `NAME= command` means to most people.
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
  const result = schema.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new LegonetError('invalid_setting', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const prefix = result.data.KAFKA_TOPIC_PREFIX;
  return {
    databaseUrl: result.data.DATABASE_URL,
    topics: {
      sampleEvents: `${prefix}sample-events`,
      modelVersions: `${prefix}model-versions`,
      deadLetters: `${prefix}dead-letters`,
    },
    dataDir: resolve(result.data.LEGONET_DATA_DIR),
    model: result.data.LEGONET_MODEL,
    buildDelayMs: result.data.LEGONET_BUILD_DELAY_MS,
    erasureDeadlineMs: result.data.LEGONET_ERASURE_DEADLINE_MS,
    http: {
      host: result.data.LEGONET_HTTP_HOST,
      port: result.data.LEGONET_HTTP_PORT,
      tokensFile: result.data.LEGONET_TOKENS_FILE,
      stalledAfterMs: result.data.LEGONET_STALLED_AFTER_MS,
    },
    logLevel: result.data.LOG_LEVEL,
  };
}

function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new LegonetError('invalid_setting', `${name}_FILE: cannot read ${file}`, 'terminal', {
      cause,
    });
  }
}
