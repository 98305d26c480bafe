import { resolve } from 'node:path';
import { LegonetError } from '../errors.js';
import { id } from '../events/schemas.js';
import { loadWasmKernel } from '../kernel/wasm.js';
import { readLocalAccess } from '../serve/local.js';
import { Acknowledgement } from './acknowledge.js';
import { type Location, Remote } from './http.js';
import { type Change, Keeper } from './keeper.js';
import { type EncodingInput, LocalModel, type Predicted } from './local-model.js';
import { type OpenLog, openLog } from './log.js';
import { type DataDirOptions, type KafkaOptions, toSettings } from './options.js';
import { fetchModel } from './remote-model.js';
import type { Listener, Source } from './source.js';
import { streamSource } from './stream.js';
import { topicSource } from './topic.js';
import { Broadcast } from './updates.js';

/** A server and a token with the scope `predict`. */
export type HttpOptions = { readonly url: string; readonly token: string };

/** The topic says when there is something new; what it is comes by HTTP. */
export type KafkaAndHttpOptions = KafkaOptions & HttpOptions & { readonly topicPrefix?: string };

export type SubscriberOptions = (HttpOptions | KafkaAndHttpOptions | DataDirOptions) & {
  /** Under which the server notes what is in use here: the same after a restart. */
  readonly name: string;
  /**
   * A retired version holds a sample that was deleted. `stop`, the default: it predicts no more, from
   * the moment that this is known. `continue`: until its successor is loaded.
   */
  readonly whenRetired?: 'stop' | 'continue';
  /** Told what fails; all of it is tried again. */
  readonly onTrouble?: (error: unknown) => void;
  /** How long an answer may take; default 30 s. */
  readonly timeoutMs?: number;
  /** How long a stream may be silent before another is opened; default 45 s. */
  readonly silenceMs?: number;
  /** Ends `open`. */
  readonly signal?: AbortSignal;
};

/** What has changed, in order. */
export type Update = Change | { readonly kind: 'connected' | 'disconnected' };

/** Updates that a slow reader may have waiting. */
const UPDATES = 256;

/** A copy of the model in this process, kept in step with the versions that are published. */
export class Subscriber {
  readonly #local: LocalModel;
  readonly #keeper: Keeper;
  readonly #updates: Broadcast<Update>;
  readonly #ending: AbortController;
  #running: Promise<unknown> = Promise.resolve();
  #connected = false;
  #closed: Promise<void> | undefined;

  private constructor(
    local: LocalModel,
    keeper: Keeper,
    updates: Broadcast<Update>,
    ending: AbortController,
  ) {
    this.#local = local;
    this.#keeper = keeper;
    this.#updates = updates;
    this.#ending = ending;
  }

  /**
   * Fetches the model and the version in service, if there is one yet, and follows from there. Throws
   * `invalid_option`, `server_not_running`, `server_unreachable`, `server_refused`, `digest_mismatch`, …
   */
  static async open(options: SubscriberOptions): Promise<Subscriber> {
    const name = id.safeParse(options.name);
    if (!name.success) {
      const message = `name: ${name.error.issues[0]?.message}`;
      throw new LegonetError('invalid_option', message);
    }
    const { signal } = options;
    const ending = new AbortController();
    const stop = () => ending.abort();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      signal?.throwIfAborted();
      return await Subscriber.#begin(options, name.data, ending);
    } catch (error) {
      ending.abort();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  static async #begin(
    options: SubscriberOptions,
    name: string,
    ending: AbortController,
  ): Promise<Subscriber> {
    const { whenRetired = 'stop', onTrouble = () => {}, timeoutMs = 30_000 } = options;
    const { signal } = ending;
    const remote = new Remote({ locate: locationOf(options), timeoutMs, signal });
    const local = new LocalModel(await fetchModel(remote), await loadWasmKernel());
    const updates = new Broadcast<Update>(UPDATES);
    const acknowledgement = new Acknowledgement(remote, name);
    const changed = (change: Change) => {
      if (change.kind === 'adopted') acknowledgement.adopted(change.version);
      updates.send(change);
    };
    const keeper = new Keeper({ remote, local, whenRetired, changed, trouble: onTrouble });
    await keeper.begin();
    const [source, log] = await openSource(options, remote);
    const subscriber = new Subscriber(local, keeper, updates, ending);
    subscriber.#running = Promise.all([
      keeper.run(signal),
      acknowledgement.run(signal, onTrouble),
      source(subscriber.#listener(onTrouble), signal).then(() => log?.close()),
    ]).catch(onTrouble);
    return subscriber;
  }

  /** The version in use; null before the first. */
  get version(): number | null {
    return this.#local.announcement?.version ?? null;
  }

  get modelDigest(): string | null {
    return this.#local.announcement?.modelDigest ?? null;
  }

  /** The newest version heard of. */
  get latest(): number | null {
    return this.#keeper.latest;
  }

  /** Whether a newer version is published than the one in use. */
  get behind(): boolean {
    return this.latest !== null && (this.version === null || this.version < this.latest);
  }

  /** Whether the version in use is retired and has stopped. */
  get retired(): boolean {
    return this.#local.retired;
  }

  /** Whether news arrive; else `latest` may be out of date. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Names of the classes, in the order of the scores. */
  get classes(): readonly string[] {
    return this.#local.model.configuration.classes;
  }

  /**
   * Predicts in this process, all encodings by one version. Throws `no_version`, `version_retired`,
   * `subscriber_closed`, `wrong_dimension`, `not_finite`, `negative_value`, `input_not_encodable`.
   */
  predict(encodings: readonly EncodingInput[]): Predicted {
    if (this.#closed) {
      throw new LegonetError('subscriber_closed', 'the subscriber is closed: open another one');
    }
    return this.#local.predict(encodings);
  }

  /** What happens from now on, until `close`. Who reads too slowly loses the oldest. */
  updates(): AsyncIterableIterator<Update> {
    return this.#updates.iterate();
  }

  /** Ends everything; what is in use is not predicted with any more. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    this.#updates.end();
  }

  #listener(trouble: (error: unknown) => void): Listener {
    const keeper = this.#keeper;
    return {
      hear: (value, headers) => keeper.hear(value, headers),
      missed: () => keeper.missed(),
      connected: (yes) => this.#connect(yes),
      trouble,
    };
  }

  #connect(yes: boolean): void {
    if (yes === this.#connected) return;
    this.#connected = yes;
    this.#updates.send({ kind: yes ? 'connected' : 'disconnected' });
  }
}

async function openSource(
  options: SubscriberOptions,
  remote: Remote,
): Promise<readonly [Source, OpenLog | undefined]> {
  if (!('brokers' in options)) {
    return [streamSource(remote, options.silenceMs ?? 45_000), undefined];
  }
  const settings = toSettings(options);
  const log = await openLog(settings);
  return [topicSource(log, settings.topics.modelVersions), log];
}

/** Where the server is: given, or to be found in the data directory each time. */
function locationOf(options: SubscriberOptions): () => Promise<Location> {
  if (!('dataDir' in options)) {
    const { url, token } = options;
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new LegonetError('invalid_option', 'url: expected http://host:port or https://host');
    }
    return async () => ({ url, token });
  }
  const dataDir = resolve(options.dataDir);
  return async () => {
    const found = await readLocalAccess(dataDir);
    if (found) return found;
    throw new LegonetError(
      'server_not_running',
      `no server is running on the data directory ${dataDir}: start one with \`legonet start\``,
      'retryable',
    );
  };
}
