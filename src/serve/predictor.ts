import { setImmediate as turn } from 'node:timers/promises';
import { LegonetError } from '../errors.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import { type Prediction, predict } from '../model/predict.js';
import type { Database } from '../store/database.js';
import {
  loadServedModel,
  readInService,
  retired,
  type ServedModel,
} from '../store/served-model.js';

/** Predictions that are all of one version. */
export type Predicted = {
  readonly version: number;
  readonly modelDigest: string;
  readonly predictions: readonly Prediction[];
};

/** Multiplications between two looks at what else there is to do: some milliseconds. */
const WORK = 4_000_000;

/** Predicts by the version in service, whose weights stay in memory as long as it is in service. */
export class Predictor {
  readonly #database: Pick<Database, 'pool'>;
  readonly #model: Model;
  readonly #kernel: Kernel;
  #served: ServedModel | null = null;
  #loading: Promise<ServedModel | null> | null = null;

  constructor(options: {
    readonly database: Pick<Database, 'pool'>;
    readonly model: Model;
    readonly kernel: Kernel;
  }) {
    this.#database = options.database;
    this.#model = options.model;
    this.#kernel = options.kernel;
  }

  /** Digests of the weights in memory. */
  get held(): ReadonlySet<string> {
    return new Set(this.#served?.held.keys());
  }

  /**
   * Predicts encodings, int8 [count, dimension]. Throws `no_version` before one is published,
   * `version_retired` while the next one is on its way, `weights_corrupt`.
   */
  async predict(encodings: Int8Array, count: number): Promise<Predicted> {
    const served = await this.#inService();
    const { dimension, classes } = this.#model.shape;
    const each = this.#model.configuration.activated * dimension * classes;
    const step = Math.max(1, Math.min(64, Math.floor(WORK / each)));
    const predictions: Prediction[] = [];
    for (let from = 0; from < count; from += step) {
      if (from > 0) await turn();
      const rows = Math.min(step, count - from);
      const part = encodings.subarray(from * dimension, (from + rows) * dimension);
      predictions.push(...predict(this.#kernel, served.model, served.weights, part, rows));
    }
    const { version, modelDigest } = served;
    return { version, modelDigest, predictions };
  }

  /** Lets go of weights that are not in service any more, whether or not somebody predicts again. */
  async refresh(): Promise<void> {
    if (!this.#served) return;
    await this.#inService().catch(() => {
      this.#served = null;
    });
  }

  async #inService(): Promise<ServedModel> {
    const current = await readInService(this.#database);
    if (!current) throw new LegonetError('no_version', 'no version is published yet');
    const isHeld = this.#served?.version === current.version;
    const served = isHeld ? this.#served : await this.#load();
    if (!served) throw new LegonetError('no_version', 'no version is published yet');
    if (!current.retired && !served.retired) return served;
    this.#served = null;
    throw retired(served);
  }

  /** Whoever asks at the same time shares it. */
  #load(): Promise<ServedModel | null> {
    this.#loading ??= loadServedModel(this.#database, this.#model, this.#served?.held)
      .then((served) => {
        this.#served = served;
        return served;
      })
      .finally(() => {
        this.#loading = null;
      });
    return this.#loading;
  }
}
