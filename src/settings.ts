import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { LegonetError } from './errors.js';

const MILLISECONDS = 'expected whole milliseconds, 0 to 86400000';
const milliseconds = z
  .string()
  .regex(/^\d{1,8}$/, MILLISECONDS)
  .transform(Number)
  .refine((value) => value <= 86_400_000, MILLISECONDS);
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
  LEGONET_BUILD_DELAY_MS: milliseconds.prefault('1000'),
  LEGONET_ERASURE_DEADLINE_MS: milliseconds.prefault('86400000'),
  LOG_LEVEL: z.enum(LEVELS, `expected one of ${LEVELS.join(', ')}`).default('info'),
});

/** Settings that may hold a secret: each is also read from the file that NAME_FILE names. */
const SECRETS = ['DATABASE_URL'];

export type Topics = {
  readonly sampleEvents: string;
  readonly modelVersions: string;
  readonly deadLetters: string;
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
