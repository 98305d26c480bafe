import type { LogRecord } from '../events/record.js';
import type { KeyedAdapter } from '../model/keyed.js';
import { Alarm } from '../store/listen.js';
import { type Announcement, readNews, readVersion } from './announcement.js';
import { Backoff } from './backoff.js';
import { AnswerError, type Remote } from './http.js';
import type { LocalModel } from './local-model.js';

/** What happens to the copy in memory. */
export type Change =
  /** A version is in use; `fetched` adapters were new to us. */
  | {
      readonly kind: 'adopted';
      readonly version: number;
      readonly modelDigest: string;
      readonly fetched: number;
    }
  /** A newer version is published than the one in use. */
  | { readonly kind: 'behind'; readonly version: number | null; readonly latest: number }
  /** The version in use holds a sample that was deleted; `because` is a version without it. */
  | { readonly kind: 'retired'; readonly version: number; readonly because: number };

export type KeeperOptions = {
  readonly remote: Remote;
  readonly local: LocalModel;
  /** Whether a retired version stops at once, or when its successor is loaded. */
  readonly whenRetired: 'stop' | 'continue';
  readonly changed: (change: Change) => void;
  readonly trouble: (error: unknown) => void;
};

const VERSION_BYTES = 64 * 1024 * 1024;
/** Requests for weights at a time. */
const FETCHES = 4;
const POLL_MS = 60_000;

/**
 * Keeps the copy in step with what is published. News may come late, twice, in any order, or not at all:
 * each is weighed against what is known, and after doubt or failure the server is asked.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #alarm = new Alarm();
  /** The newest version known. */
  #target: Announcement | null = null;
  #latest: number | null = null;
  /** Retired versions that are in use or newer. */
  readonly #retired = new Set<number>();
  /** Weights for the target that are here already. */
  readonly #staged = new Map<string, KeyedAdapter>();
  #asking = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** The newest version that was heard of. */
  get latest(): number | null {
    return this.#latest;
  }

  /** Never throws, whatever the event holds. */
  hear(value: Uint8Array, headers?: LogRecord['headers']): void {
    try {
      const news = readNews(this.#options.local.model, value, headers);
      if (news?.kind === 'published') this.#consider(news.announcement);
      if (news?.kind === 'retired') this.#retire(news.version, news.because, news.erasedWeights);
    } catch (error) {
      this.#options.trouble(error);
      this.#asking = true;
    }
    this.#alarm.wake();
  }

  /** Something may have been missed. */
  missed(): void {
    this.#asking = true;
    this.#alarm.wake();
  }

  /** Asks for the newest version and loads it, once. */
  async begin(): Promise<void> {
    await this.#ask();
    // Where it is overtaken meanwhile, its weights may be gone.
    await this.#load().catch(async (error) => {
      if (!isGone(error)) throw error;
      await this.#ask();
      await this.#load();
    });
  }

  /** Loads what there is to load until the signal aborts; what fails is reported and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff();
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (this.#asking) {
          this.#asking = false;
          await this.#ask();
        }
        await this.#load();
        failures = 0;
        backoff.reset();
        if (!this.#asking && !this.#isWanting) await this.#alarm.wait(POLL_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        // To be overtaken is no failure, unless the server says so of its newest version.
        if (failures++ > 0 || !isGone(error)) this.#options.trouble(error);
        this.#asking = true;
        await backoff.wait(signal);
      }
    }
  }

  #consider(announcement: Announcement): void {
    const known = this.#target;
    if (known && announcement.version < known.version) return;
    if (known && isSame(known, announcement)) return;
    this.#target = announcement;
    this.#raise(announcement.version);
  }

  #raise(latest: number): void {
    if (this.#latest !== null && latest <= this.#latest) return;
    this.#latest = latest;
    const version = this.#options.local.announcement?.version ?? null;
    if (version === null || version < latest) {
      this.#options.changed({ kind: 'behind', version, latest });
    }
  }

  #retire(version: number, because: number, erasedWeights: readonly string[]): void {
    const { local, whenRetired, changed } = this.#options;
    const current = local.announcement;
    this.#raise(because);
    if (because > (this.#target?.version ?? 0)) this.#asking = true;
    if (current && version < current.version) return;
    const isKnown = this.#retired.has(version);
    this.#retired.add(version);
    if (current?.version !== version) return;
    if (whenRetired === 'stop') {
      local.retire(version);
      local.forget(erasedWeights);
    }
    if (!isKnown) changed({ kind: 'retired', version, because });
  }

  async #ask(): Promise<void> {
    const { local } = this.#options;
    const newest = await this.#fetchVersion('latest');
    if (!newest) return;
    const { announcement, retired } = newest;
    const { version } = announcement;
    if (retired) this.#retired.add(version);
    else this.#retired.delete(version);
    const current = local.announcement;
    // First what is to end, then what is to begin.
    if (current && current.version < version && !local.retired) {
      const own = await this.#fetchVersion(current.version);
      if (own?.retired && isSame(own.announcement, current)) {
        this.#retire(current.version, version, []);
      }
    }
    this.#consider(announcement);
  }

  async #fetchVersion(which: number | 'latest') {
    const { remote, local } = this.#options;
    try {
      const answer = await remote.json(`/v1/versions/${which}`, VERSION_BYTES);
      return readVersion(local.model, answer);
    } catch (error) {
      if (error instanceof AnswerError && error.status === 404) return null;
      throw error;
    }
  }

  /** The target, if it is to be loaded. */
  get #wanted(): Announcement | null {
    const target = this.#target;
    if (!target || this.#retired.has(target.version)) return null;
    const current = this.#options.local.announcement;
    return current && isSame(target, current) ? null : target;
  }

  get #isWanting(): boolean {
    return this.#wanted !== null;
  }

  async #load(): Promise<void> {
    const target = this.#wanted;
    if (!target) return;
    const { local, changed } = this.#options;
    const digests = new Set(target.weights);
    for (const digest of this.#staged.keys()) {
      if (!digests.has(digest)) this.#staged.delete(digest);
    }
    const missing = [...digests].filter((one) => !local.has(one) && !this.#staged.has(one));
    const queue = missing.values();
    const fetchers = Array.from({ length: FETCHES }, () => this.#fetch(queue, target));
    const outcomes = await Promise.allSettled(fetchers);
    // Overtaken or retired meanwhile: the caller comes again.
    if (this.#wanted !== target) return;
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure) throw failure.reason;
    const fetched = this.#staged.size;
    local.adopt(target, this.#staged);
    this.#staged.clear();
    for (const version of this.#retired) {
      if (version < target.version) this.#retired.delete(version);
    }
    const { version, modelDigest } = target;
    changed({ kind: 'adopted', version, modelDigest, fetched });
  }

  async #fetch(queue: Iterator<string>, target: Announcement): Promise<void> {
    const { remote, local } = this.#options;
    for (let next = queue.next(); !next.done; next = queue.next()) {
      if (this.#wanted !== target) return;
      const digest = next.value;
      const bytes = await remote.bytes(`/v1/weights/${digest}`, local.adapterBytes);
      this.#staged.set(digest, local.read(digest, bytes));
    }
  }
}

const isSame = (a: Announcement, b: Announcement): boolean =>
  a.version === b.version && a.modelDigest === b.modelDigest;

/** Weights that are erased: a newer version is there, or will be in a moment. */
const isGone = (error: unknown): boolean => error instanceof AnswerError && error.status === 410;
