import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { inlineCompute } from '#src/build/compute.js';
import { type EncoderSource, openEncoder } from '#src/engine/open-encoder.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { KafkaLog, type KafkaLogOptions } from '#src/log/kafka/log.js';
import type { Model } from '#src/model/model.js';
import type { Trainer } from '#src/model/trainer.js';
import { keepSigner } from '#src/publish/keep-signer.js';
import { readLag } from '#src/service/catch-up.js';
import { canRecover, ROLES, type Role, runRole } from '#src/service/roles.js';
import type { Service } from '#src/service/service.js';
import { readSettings, type Settings } from '#src/settings.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { saveModel } from '#src/store/model.js';
import { createTestDatabase } from './database.js';
import { PARTITIONS } from './kafka-history.js';
import { type LogChoice, logOptions } from './kafka-log.js';
import { SCRATCH } from './scratch.js';
import { NO_FILES } from './tfjs-models.js';

const kernel = await loadWasmKernel();
const POLL_MS = 50;
/** So much waiting, besides the time that looking takes, is no slowness any more. */
const STUCK_MS = 120_000;

/** A day, in which nothing is compacted: the log holds whatever was sent. */
export const SLOW_MS = 86_400_000;

/** One database and one set of topics, with any number of processes at work on them. */
export type World = {
  readonly url: string;
  readonly model: Model;
  readonly options: KafkaLogOptions;
  readonly database: Database;
  /** The test's own. */
  readonly log: KafkaLog;
  /** A process in this one, with connections of its own, doing all roles or some. */
  start(choice?: ProcessChoice): Promise<RunningProcess>;
  /** For work that is not a role's. */
  open(choice?: ProcessChoice): Promise<Service & { close(): Promise<void> }>;
  /** Why a role has failed that no second attempt can mend. */
  readonly failures: readonly unknown[];
  close(): Promise<void>;
};

export type ProcessChoice = {
  readonly roles?: readonly Role[];
  /** Not the deadline that its topics were made for. */
  readonly deadlineMs?: number;
};

export type RunningProcess = { stop(): Promise<void> };

/** What its processes encode raw inputs and train softmax adapters with. */
type Tools = { readonly encoders: EncoderSource; readonly trainer: Trainer | null };

export type WorldChoice = LogChoice &
  Partial<Tools> & {
    /** Another way to the database than the test's own. */
    readonly through?: (url: string) => string;
    /** Without it a database of the run's server, dropped in the end. */
    readonly url?: string;
  };

export async function openWorld(
  brokers: readonly string[],
  model: Model,
  {
    through = (url) => url,
    url: given,
    encoders = NO_FILES,
    trainer = null,
    ...choice
  }: WorldChoice = {},
): Promise<World> {
  const options = logOptions(brokers, { deadlineMs: SLOW_MS, ...choice });
  const { url, drop } = given ? { url: given, drop: async () => {} } : await createTestDatabase();
  const database = openDatabase(url);
  await saveModel(database, model, {});
  const log = await KafkaLog.open(options);
  const failures: unknown[] = [];
  const running = new Set<RunningProcess>();
  const open = ({ deadlineMs = options.erasureDeadlineMs }: ProcessChoice = {}) =>
    openProcess(
      through(url),
      model,
      { ...options, erasureDeadlineMs: deadlineMs },
      { encoders, trainer },
    );
  return {
    url,
    model,
    options,
    database,
    log,
    failures,
    open,
    start: async (choice = {}) => {
      const process = runProcess(await open(choice), choice.roles ?? ROLES, failures);
      running.add(process);
      return {
        stop: async () => {
          running.delete(process);
          await process.stop();
        },
      };
    },
    close: async () => {
      await Promise.all([...running].map((process) => process.stop()));
      await log.close();
      await database.close();
      await drop();
    },
  };
}

/** Settings of a process in such a world, as its environment. */
export function environmentOf({ url, options }: Pick<World, 'url' | 'options'>) {
  const { kafka, topics } = options;
  return {
    DATABASE_URL: url,
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_GROUP_ID: kafka.groupId,
    KAFKA_PARTITIONS: String(PARTITIONS),
    KAFKA_TOPIC_PREFIX: topics.sampleEvents.slice(0, -'sample-events'.length),
    LEGONET_BUILD_DELAY_MS: '0',
    LEGONET_DATA_DIR: SCRATCH,
    LEGONET_ERASURE_DEADLINE_MS: String(options.erasureDeadlineMs),
  };
}

async function openProcess(
  url: string,
  model: Model,
  options: KafkaLogOptions,
  { encoders, trainer }: Tools,
) {
  const settings: Settings = readSettings(environmentOf({ url, options }));
  const database = openDatabase(url);
  const log = await KafkaLog.open(options);
  const encoder = await openEncoder(model, encoders);
  const compute = inlineCompute(url, kernel, model, trainer);
  const logger = pino({ level: 'silent' });
  const close = async () => {
    await Promise.all([compute.close(), encoder?.close()]);
    await log.close();
    await database.close();
  };
  const signer = keepSigner(settings, database);
  return {
    settings,
    database,
    log,
    model,
    kernel,
    encoder,
    compute,
    engine: null,
    logger,
    signer,
    close,
  };
}

function runProcess(
  service: Service & { close(): Promise<void> },
  roles: readonly Role[],
  failures: unknown[],
): RunningProcess {
  const ended = new AbortController();
  const work = roles.map((role) =>
    runRole(service, role, ended.signal, (_, error) => {
      if (!canRecover(error)) failures.push(error);
    }),
  );
  return {
    stop: async () => {
      ended.abort();
      await Promise.all(work);
      await service.close();
    },
  };
}

/** Waits until all that is in the log is projected; throws as soon as a role has failed for good. */
export const untilProjected = (world: World): Promise<void> =>
  until(world, async () => {
    const lag = await lagOf(world);
    return lag === 0n ? [] : [`lag ${lag}`];
  });

/** Waits until there is nothing left to do; `erased`: in the log neither. */
export const untilDone = (world: World, erased = false): Promise<void> =>
  until(world, () => leftToDo(world, erased));

/** What there is left to do, in words. */
export async function leftToDo(world: World, erased = false): Promise<string[]> {
  const lag = await lagOf(world);
  return [...(lag === 0n ? [] : [`lag ${lag}`]), ...(await waiting(world.database, erased))];
}

const lagOf = ({ database, log, options }: World): Promise<bigint> =>
  readLag({ database, log, settings: { ...readSettings({}), topics: options.topics } });

/** Waits until nothing is left; what still is, is told if it stays for long. */
export async function until(
  { failures }: Pick<World, 'failures'>,
  left: () => Promise<readonly string[]>,
): Promise<void> {
  for (let waited = 0; ; waited += POLL_MS) {
    if (failures.length > 0) throw failures[0];
    const some = await left();
    if (some.length === 0) return;
    if (waited >= STUCK_MS) throw new Error(`nothing moves: ${some.join(', ')}`);
    await sleep(POLL_MS);
  }
}

const WAITING = {
  'dirty adapters': 'dirty_adapters',
  'requests without a version': 'deletions WHERE version IS NULL',
  'unpublished versions': 'outbox WHERE published_at IS NULL',
  restatements: 'restatements',
  'unannounced letters': 'dead_letters WHERE announced_at IS NULL',
  'undeclared erasures': 'erasures WHERE declared_position IS NULL',
};

async function waiting({ pool }: Database, erased: boolean): Promise<string[]> {
  const tables = { ...WAITING, ...(erased && { erasures: 'erasures' }) };
  const counts = Object.entries(tables).map(
    ([name, table]) => `SELECT '${name}' AS name, count(*) FROM ${table}`,
  );
  const { rows } = await pool.query<{ name: string; count: bigint }>(counts.join(' UNION ALL '));
  return rows.filter(({ count }) => count > 0n).map(({ name, count }) => `${count} ${name}`);
}
