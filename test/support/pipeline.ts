import { formatVerifierKey, verifierOf } from '#src/audit/log/keys.js';
import { type BuildOutcome, buildVersion } from '#src/build/builder.js';
import { type Compute, inlineCompute } from '#src/build/compute.js';
import { LegonetError } from '#src/errors.js';
import type { LogRecord } from '#src/events/record.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import type { EventLog, NewRecord, Place } from '#src/log/event-log.js';
import type { Encoder } from '#src/model/encoder.js';
import type { Kernel } from '#src/model/kernel.js';
import type { Model } from '#src/model/model.js';
import type { Trainer } from '#src/model/trainer.js';
import { apply } from '#src/projection/apply.js';
import { prepare } from '#src/projection/prepare.js';
import { logOptions } from '#src/projection/projector.js';
import { eraseFromLog } from '#src/publish/erase.js';
import { publishPending } from '#src/publish/publisher.js';
import { restate } from '#src/publish/restate.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { readStopped, skipLetter } from '#src/store/dead-letters.js';
import { saveModel } from '#src/store/model.js';
import { readOffsets } from '#src/store/offsets.js';
import { expectRemoved } from '#src/store/removed-members.js';
import { dropProjections } from '#src/store/replay.js';
import { CompactingLog } from './compacting-log.js';
import { memorySigner } from './signer.js';

const TOPIC = 'sample-events';
export const VERSIONS = 'model-versions';
const NEVER = new AbortController().signal;
const DAY_MS = 86_400_000;

/** What some models take, an encoder of raw inputs and what trains softmax adapters; partitions of a log that compacts. */
type PipelineTools = {
  readonly encoder?: Encoder | null;
  readonly trainer?: Trainer | null;
  readonly partitions?: number;
};

/** The whole pipeline on a test database, one step at a time, in the order that a test asks for. */
export class Pipeline {
  readonly database: Database;
  readonly log: CompactingLog | EmbeddedLog;
  readonly #model: Model;
  readonly #kernel: Kernel;
  readonly #compute: Compute;
  readonly #encoder: Encoder | null;
  readonly #given: ReturnType<typeof memorySigner> | undefined;
  #signer: ReturnType<typeof memorySigner>;
  #expectNoMore: (() => void) | null = null;
  #publishes = true;

  /** `signer`: that of the log there is already; by default each beginning makes another one. Softmax takes a trainer. */
  constructor(
    url: string,
    model: Model,
    kernel: Kernel,
    compacts = false,
    signer?: ReturnType<typeof memorySigner>,
    { encoder = null, trainer = null, partitions = 1 }: PipelineTools = {},
  ) {
    this.#encoder = encoder;
    this.#given = signer;
    this.#signer = signer ?? memorySigner();
    this.database = openDatabase(url);
    this.log = compacts
      ? new CompactingLog(this.database, partitions)
      : new EmbeddedLog(this.database);
    this.#model = model;
    this.#kernel = kernel;
    this.#compute = inlineCompute(url, kernel, model, trainer);
  }

  /** Forgets everything but the schema, and puts the model in force. */
  async begin(): Promise<void> {
    const { pool } = this.database;
    const { rows } = await pool.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables
       WHERE schemaname = 'public' AND tablename <> 'schema_migrations'`,
    );
    const names = rows.map(({ name }) => name).join(', ');
    await pool.query(`TRUNCATE ${names} RESTART IDENTITY`);
    await saveModel(this.database, this.#model, {});
    this.#signer = this.#given ?? memorySigner();
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    await this.log.append(TOPIC, records);
  }

  /** The verifier key of the audit log. */
  async vkey(): Promise<string> {
    return formatVerifierKey(verifierOf((await this.#signer()).key));
  }

  /** Everything that the log holds now, one partition after the other. */
  async records(): Promise<LogRecord[]> {
    const all: LogRecord[] = [];
    for (let partition = 0; partition < this.partitions; partition++) {
      all.push(...(await this.#read({ partition, position: 0n }, 10_000)));
    }
    return all;
  }

  get partitions(): number {
    return 'partitions' in this.log ? this.log.partitions : 1;
  }

  #read(from: Place, count: number): Promise<LogRecord[]> {
    const { log } = this;
    return 'readFrom' in log
      ? log.readFrom(TOPIC, from, count)
      : log.read(TOPIC, from.position, count);
  }

  /**
   * Projects up to `count` records of a partition, in one batch; as where the same process builds, or by turns as where
   * another one does. Returns how many there were; none where the partition stands still.
   */
  async project(
    count: number,
    buildsHere = this.#expectNoMore === null,
    partition = 0,
  ): Promise<number> {
    if (!buildsHere) this.#expectNoMore?.();
    this.#expectNoMore = buildsHere ? (this.#expectNoMore ?? expectRemoved(this.database)) : null;
    const next = (await readOffsets(this.database.pool)).get(partition) ?? 0n;
    const records = await this.#read({ partition, position: next }, count);
    if (records.length === 0) return 0;
    const { activate } = this.#compute;
    const sealing = {
      model: this.#model,
      activate,
      encoder: this.#encoder,
      erasureDeadlineMs: DAY_MS,
    };
    const prepared = await prepare(sealing, records);
    const { database, log } = this;
    const options = { database, model: this.#model, kernel: this.#kernel };
    const applied = apply({ ...options, ...logOptions(log, TOPIC) }, { partition, next }, prepared);
    const stopped = await applied.then(() => false, isStop);
    await this.#tidy();
    return stopped ? 0 : records.length;
  }

  /** Builds a version if anything has changed; `during` runs after its cut is taken. */
  async build(during: () => Promise<unknown> = async () => {}): Promise<BuildOutcome | null> {
    let waited: Promise<unknown> | undefined;
    const compute: Compute = {
      ...this.#compute,
      build: async (task, snapshot) => {
        waited ??= during();
        await waited;
        return this.#compute.build(task, snapshot);
      },
    };
    const { database } = this;
    const options = { database, model: this.#model, compute, now: () => new Date(0) };
    const outcome = await buildVersion(options, NEVER);
    await this.#compute.kept();
    return outcome;
  }

  /** A step of the publisher's erasures; `during` runs when the log has said how far they have come. */
  async erase(during: () => Promise<unknown>): Promise<void> {
    const { database, log } = this;
    const slow: EventLog = Object.create(log, {
      erase: {
        value: async (...given: Parameters<EventLog['erase']>) => {
          const progress = await log.erase(...given);
          await during();
          return progress;
        },
      },
    });
    this.#publishes = false;
    await eraseFromLog({ database, log: slow, topic: TOPIC });
    await this.publishes(true);
  }

  /** Whether what is erased, or written again, does not wait from now on. */
  publishes(there: boolean): Promise<void> {
    this.#publishes = there;
    return this.#tidy();
  }

  /** Next positions up to which nothing waits; none where something may. */
  async tidied(): Promise<ReadonlyMap<number, bigint>> {
    return this.#publishes ? readOffsets(this.database.pool) : new Map();
  }

  /** What the publisher does with the log after a projection. */
  async #tidy(): Promise<void> {
    const { database, log } = this;
    if (!this.#publishes) return;
    await eraseFromLog({ database, log, topic: TOPIC });
    await this.restate();
  }

  restate(): Promise<void> {
    const { database, log } = this;
    const erasureDeadlineMs = DAY_MS;
    return restate({ database, log, topic: TOPIC, model: this.#model, erasureDeadlineMs });
  }

  /** Where the log compacts: everything that is projected, or up to there, compacted, and the publisher sees it. */
  async compact(until?: ReadonlyMap<number, bigint>): Promise<void> {
    const { log } = this;
    if (!('compact' in log)) return;
    for (const [partition, position] of until ?? (await readOffsets(this.database.pool))) {
      await log.compact(TOPIC, position, partition);
    }
    await this.#tidy();
  }

  async replay(): Promise<void> {
    await dropProjections(this.database, await this.log.ends(TOPIC), this.log.compacts);
  }

  publish(): Promise<number[]> {
    const { database, log } = this;
    return publishPending({ database, log, topic: VERSIONS, signer: this.#signer });
  }

  /** Lets all partitions go on that stand still. */
  async skip(): Promise<number> {
    const { pool } = this.database;
    const stopped = await readStopped(pool);
    for (const { id } of stopped) await skipLetter(pool, id);
    return stopped.length;
  }

  async finish(): Promise<void> {
    await this.publishes(true);
    // The log's own deletions may come to a partition that was read before.
    for (let read = 1; read > 0; ) {
      read = 0;
      for (let partition = 0; partition < this.partitions; partition++) {
        read += await this.project(1000, undefined, partition);
      }
      read += await this.skip();
    }
    await this.build();
    await this.publish();
  }

  async close(): Promise<void> {
    await this.#compute.close();
    await this.log.close();
    await this.database.close();
  }
}

function isStop(error: unknown): boolean {
  if (error instanceof LegonetError && error.code === 'partition_stopped') return true;
  throw error;
}
