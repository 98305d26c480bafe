import { LegonetError } from '../errors.js';
import { weightsDigest } from '../model/adapter.js';
import { hashText } from '../model/hashing-text.js';
import type { Kernel } from '../model/kernel.js';
import {
  isAdapterLength,
  type KeyedAdapter,
  readAdapter,
  weightsLength,
  withKeysOf,
} from '../model/keyed.js';
import type { Model } from '../model/model.js';
import { type AdapterWeights, type Prediction, predict } from '../model/predict.js';
import { checkInt8, quantise } from '../model/quantise.js';
import type { Announcement } from './announcement.js';

/** Numbers as the encoder gives them, Int8Array for an encoding that is quantised already, or a text. */
export type EncodingInput = ArrayLike<number> | string;

/** Predictions that are all of one version. */
export type Predicted = {
  readonly version: number;
  readonly modelDigest: string;
  /** One for each encoding, in their order. */
  readonly predictions: readonly Prediction[];
};

/** What is in use: whole, and never changed. The model has the keys of the version. */
type Current = {
  readonly announcement: Announcement;
  readonly model: Model;
  readonly weights: AdapterWeights;
};

/** A copy of the model in memory. Every weight in it has the digest that its version names. */
export class LocalModel {
  readonly model: Model;
  readonly #kernel: Kernel;
  #held = new Map<string, KeyedAdapter>();
  #current: Current | null = null;
  #retired: number | null = null;

  constructor(model: Model, kernel: Kernel) {
    this.model = model;
    this.#kernel = kernel;
  }

  get announcement(): Announcement | null {
    return this.#current?.announcement ?? null;
  }

  /** The most bytes that one adapter may have. */
  get adapterBytes(): number {
    return weightsLength(this.model.shape) + this.model.shape.dimension;
  }

  /** Digests of weights in memory. */
  get held(): ReadonlySet<string> {
    return new Set(this.#held.keys());
  }

  has(digest: string): boolean {
    return this.#held.has(digest);
  }

  /** An adapter from its bytes. Throws `digest_mismatch`. */
  read(digest: string, bytes: Uint8Array): KeyedAdapter {
    if (isAdapterLength(this.model, bytes.byteLength) && weightsDigest(bytes) === digest) {
      return readAdapter(this.model, bytes);
    }
    throw new LegonetError(
      'digest_mismatch',
      `weights ${digest} are not what their digest says: damaged on the way; they are fetched again`,
      'retryable',
    );
  }

  /** Takes a version into use, with weights that are not held yet, and lets go of what it has not. */
  adopt(announcement: Announcement, fetched: ReadonlyMap<string, KeyedAdapter>): void {
    const held = new Map<string, KeyedAdapter>();
    const adapters = announcement.weights.map((digest) => {
      const found = fetched.get(digest) ?? this.#held.get(digest);
      if (!found) throw new TypeError(`version ${announcement.version} lacks weights ${digest}`);
      held.set(digest, found);
      return found;
    });
    this.#held = held;
    const model = withKeysOf(this.model, adapters);
    const weights = adapters.map((adapter) => (isEmpty(adapter) ? null : adapter.weights));
    this.#current = { announcement, model, weights };
    this.#retired = null;
  }

  /** Refuses to predict from now on, if this version is in use. */
  retire(version: number): void {
    if (this.#current?.announcement.version === version) this.#retired = version;
  }

  /** Lets go of weights that are erased everywhere. */
  forget(digests: readonly string[]): void {
    if (this.#retired === null) return;
    for (const digest of digests) this.#held.delete(digest);
    if (this.#current) this.#current = { ...this.#current, model: this.model, weights: [] };
  }

  get retired(): boolean {
    return this.#retired !== null;
  }

  /**
   * Predicts by the version in use. Throws `no_version` before there is one, `version_retired`,
   * `wrong_dimension`, `not_finite`, `negative_value`, `input_not_encodable` for a text.
   */
  predict(encodings: readonly EncodingInput[]): Predicted {
    if (!this.#current) {
      throw new LegonetError('no_version', 'no version is loaded: none is published yet');
    }
    if (this.#retired !== null) {
      throw new LegonetError(
        'version_retired',
        `version ${this.#retired} is retired, a sample of it was deleted, and the next one is not loaded yet: try again`,
        'retryable',
      );
    }
    const { announcement, model, weights } = this.#current;
    const { dimension } = this.model.shape;
    const rows = new Int8Array(encodings.length * dimension);
    encodings.forEach((given, i) => {
      rows.set(toInt8(this.model, given), i * dimension);
    });
    const { version, modelDigest } = announcement;
    const predictions = predict(this.#kernel, model, weights, rows, encodings.length);
    return { version, modelDigest, predictions };
  }
}

function toInt8({ configuration, quantiser }: Model, given: EncodingInput): Int8Array {
  if (given instanceof Int8Array) return checkInt8(quantiser, given);
  if (typeof given !== 'string') return quantise(quantiser, given);
  const { encoder } = configuration;
  if (encoder.kind === 'hashing-text') return quantise(quantiser, hashText(encoder, given));
  throw new LegonetError('input_not_encodable', 'a text, and this model takes encodings alone');
}

/** All zeros: without members. With members, its weights are never all zeros. */
const isEmpty = ({ weights }: KeyedAdapter): boolean => weights.every((weight) => weight === 0);
