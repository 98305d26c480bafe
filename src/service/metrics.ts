import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PartitionLag } from '../log/lag.js';
import type { Answered } from '../serve/deps.js';
import type { Role } from '../store/lock.js';
import type { ErasureStatus, Status } from '../store/status.js';
import { type Observation, roleOf } from './observe.js';

/** What is asked for when somebody scrapes; null where it cannot be had. */
export type Scrape = {
  readonly stored: {
    readonly status: Status;
    readonly erasures: ErasureStatus;
    /** By code. */
    readonly deadLetters: ReadonlyMap<string, number>;
  } | null;
  readonly lags: readonly PartitionLag[] | null;
  /** The roles of this process, and whether each has work and does none. */
  readonly stalled: ReadonlyMap<Role, boolean>;
  readonly streams: number;
};

const LATENCY = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400];
const BUILD = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** The metrics of one process, in a registry of their own. docs/reference/metrics.md names them. */
export class Metrics {
  readonly #registry = new Registry();

  readonly #applied = this.#counter('events_applied', 'Records of the log that were projected.');
  readonly #projected = this.#histogram(
    'ingest_to_projected',
    'Seconds from the log to the projections, of each record.',
    LATENCY,
  );
  readonly #deletions = this.#histogram(
    'deletion_to_published',
    'Seconds from the log to the version that is without them, of each request for deletion.',
    LATENCY,
  );
  readonly #builds = this.#histogram('build', 'Seconds that the build of a version took.', BUILD);
  readonly #rebuilt = this.#counter('adapters_rebuilt', 'Adapters built, in all versions.');
  readonly #published = this.#counter('versions_published', 'Versions announced.');
  readonly #failures = this.#counter('role_failures', 'Times a role had to begin again.', ['role']);
  readonly #requests = this.#counter('http_requests', 'Requests answered.', [
    'route',
    'method',
    'status',
  ]);

  readonly #up = this.#gauge('role_up', 'Whether this process has the role.', ['role']);
  readonly #progress = this.#gauge(
    'role_last_progress_timestamp_seconds',
    'When the role last came further in this process, seconds since 1970.',
    ['role'],
  );
  readonly #stalled = this.#gauge('role_stalled', 'Whether work waits and none is done.', ['role']);
  readonly #databaseUp = this.#gauge('database_up', 'Whether the database answered.');
  readonly #logUp = this.#gauge('log_up', 'Whether the event log answered.');
  readonly #lag = this.#gauge('consumer_lag_records', 'Records that are not projected yet.', [
    'partition',
  ]);
  readonly #letters = this.#gauge('dead_letters', 'Records that could not be applied.', ['code']);
  readonly #streams = this.#gauge('http_streams', 'Open streams of versions.');
  readonly #stored = {
    dirty: this.#gauge('dirty_adapters', 'Adapters whose members changed since they were built.'),
    version: this.#gauge('version', 'The newest version that is published; 0 before the first.'),
    retained: this.#gauge('retained_samples', 'Samples retained.'),
    deleted: this.#gauge('deleted_samples', 'Samples deleted for ever.'),
    deletionsWaiting: this.#gauge('deletions_waiting', 'Requests that no version applies yet.'),
    stopped: this.#gauge('partitions_stopped', 'Partitions that an unreadable deletion stops.'),
    erasures: this.#gauge(
      'erasures_waiting',
      'Payloads of the deleted, or raw inputs, still in the log.',
    ),
    overdue: this.#gauge('erasures_overdue', 'Those past LEGONET_ERASURE_DEADLINE_MS.'),
    oldest: this.#gauge('erasure_oldest_seconds', 'How long the oldest of them has waited.'),
  };

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  observe = (observation: Observation): void => {
    const role = roleOf(observation);
    switch (observation.kind) {
      case 'role':
        this.#up.set({ role }, observation.up ? 1 : 0);
        return;
      case 'failed':
        this.#failures.inc({ role });
        return;
      case 'assigned':
        return;
      case 'projected':
        this.#applied.inc(observation.seconds.length);
        for (const seconds of observation.seconds) this.#projected.observe(seconds);
        break;
      case 'built':
        this.#builds.observe(observation.seconds);
        this.#rebuilt.inc(observation.adapters);
        break;
      case 'published':
        this.#published.inc(observation.versions);
        for (const seconds of observation.deletionSeconds) this.#deletions.observe(seconds);
        break;
    }
    this.#progress.set({ role }, Date.now() / 1000);
  };

  answered = ({ route, method, status }: Answered): void =>
    this.#requests.inc({ route, method, status: String(status) });

  /** In the text format of Prometheus. */
  render({ stored, lags, stalled, streams }: Scrape): Promise<string> {
    this.#databaseUp.set(stored ? 1 : 0);
    this.#logUp.set(lags ? 1 : 0);
    this.#streams.set(streams);
    // What cannot be read is absent, not what it last was.
    for (const gauge of [this.#lag, this.#letters]) gauge.reset();
    for (const gauge of Object.values(this.#stored)) gauge.remove();
    for (const [role, is] of stalled) this.#stalled.set({ role }, is ? 1 : 0);
    for (const { partition, behind } of lags ?? []) {
      this.#lag.set({ partition: String(partition) }, Number(behind));
    }
    if (stored) this.#setStored(stored);
    return this.#registry.metrics();
  }

  #setStored({ status, erasures, deadLetters }: NonNullable<Scrape['stored']>): void {
    this.#stored.dirty.set(Number(status.dirtyAdapters));
    this.#stored.version.set(status.version ?? 0);
    this.#stored.retained.set(Number(status.retained));
    this.#stored.deleted.set(Number(status.deleted));
    this.#stored.deletionsWaiting.set(Number(status.deletionsWaiting));
    this.#stored.stopped.set(status.stopped.length);
    this.#stored.erasures.set(Number(erasures.erasuresWaiting));
    this.#stored.overdue.set(Number(erasures.erasuresOverdue));
    this.#stored.oldest.set((erasures.oldestErasureMs ?? 0) / 1000);
    for (const [code, count] of deadLetters) this.#letters.set({ code }, count);
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    const registers = [this.#registry];
    return new Counter({ name: `legonet_${name}_total`, help, labelNames, registers });
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name: `legonet_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    const registers = [this.#registry];
    return new Histogram({ name: `legonet_${name}_seconds`, help, buckets, registers });
  }
}
