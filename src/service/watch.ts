import { setTimeout as sleep } from 'node:timers/promises';
import { CaughtUp } from '../log/caught-up.js';
import { type PartitionLag, readLagsInTime } from '../log/lag.js';
import type { Database } from '../store/database.js';
import { heldRoles, type Role } from '../store/lock.js';
import { type Observation, roleOf } from './observe.js';
import type { Service } from './service.js';
import { type Stall, Stalls } from './stalls.js';
import { buildsWaiting, type Own, projectionsWaiting, publicationsWaiting } from './waiting.js';

const LOOK_MS = 5000;

/**
 * Looks, time and again, whether the roles of this process come further when there is work for them: a
 * client of the log may seem healthy and deliver nothing.
 */
export class Watch implements Own {
  partitions: ReadonlySet<number> | null = null;
  readonly #up = new Set<Role>();
  readonly #steps = new Map<Role, number>();
  readonly #stalls = new Stalls();
  readonly #roles: readonly Role[];
  readonly #limitMs: number;
  readonly #caughtUp = new CaughtUp(Date.now);
  /** Whether the log answered when it was last asked. */
  logAnswers = true;

  constructor(roles: readonly Role[], limitMs: number) {
    this.#roles = roles;
    this.#limitMs = limitMs;
  }

  observe = (observation: Observation): void => {
    const role = roleOf(observation);
    if (observation.kind === 'role') {
      if (observation.up) this.#up.add(role);
      else this.#up.delete(role);
      if (role === 'project') this.partitions = null;
    } else if (observation.kind === 'assigned') this.partitions = new Set(observation.partitions);
    else if (observation.kind !== 'failed') this.#steps.set(role, this.steps(role) + 1);
  };

  steps(role: Role): number {
    return this.#steps.get(role) ?? 0;
  }

  stalls(): Stall[] {
    return this.#stalls.longerThan(this.#limitMs);
  }

  /** The roles of this process, and whether each has work and does none. */
  get stalled(): ReadonlyMap<Role, boolean> {
    const stalls = this.stalls();
    return new Map(this.#roles.map((role) => [role, stalls.some((one) => one.role === role)]));
  }

  /** Looks once. What cannot be read is as it was. */
  async look(service: Service, database: Database): Promise<void> {
    const { pool } = database;
    const held = await heldRoles(pool);
    // What another process has is that one's to do; what nobody has is everybody's.
    const mine = this.#roles.filter((role) => this.#up.has(role) || !held.includes(role));
    // Whoever serves takes events for the log: whether it answers is asked with any roles.
    const lags = await this.#lags(service, database);
    const waiting = [
      ...(mine.includes('project') ? await projectionsWaiting(pool, lags, this) : []),
      ...(mine.includes('build')
        ? await buildsWaiting(pool, service.settings.buildDelayMs, this)
        : []),
      ...(mine.includes('publish')
        ? await publicationsWaiting(pool, this.#open(service, lags))
        : []),
    ];
    this.#stalls.saw(waiting, performance.now());
  }

  /** None where the log does not answer: what waits in it cannot be known. */
  async #lags({ log, settings }: Service, { pool }: Database): Promise<PartitionLag[]> {
    const lags = await readLagsInTime(pool, log, settings.topics.sampleEvents);
    this.logAnswers = lags !== null;
    return lags ?? [];
  }

  /**
   * Partitions in which the log may be told of deletions: a log that compacts is not before the projection has caught up,
   * which takes its time, or an operator. Null: in all, as far as is known.
   */
  #open({ log }: Service, lags: readonly PartitionLag[]): ReadonlySet<number> | null {
    if (!log.compacts || !this.logAnswers) return null;
    return this.#caughtUp.partitions(
      new Map(lags.map(({ partition, position }) => [partition, position])),
      new Map(lags.map(({ partition, position, behind }) => [partition, position + behind])),
    );
  }

  /** Looks until the signal aborts. */
  async run(service: Service, database: Database, signal: AbortSignal): Promise<void> {
    const pause = Math.min(LOOK_MS, this.#limitMs / 4);
    while (!signal.aborted) {
      await this.look(service, database).catch(() => {});
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }
}
