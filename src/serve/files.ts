import { createHash } from 'node:crypto';
import { littleEndian } from '../model/bytes.js';
import { type Model, projectionMatrix } from '../model/model.js';

/** A matrix of the model's files, as the store has it: row-major. */
export type StoredMatrix = {
  readonly rows: number;
  readonly columns: number;
  readonly type: 'int8' | 'float64';
  readonly digest: string;
  readonly content: Uint8Array;
};

/** What the configuration's files hold. */
export type StoredFiles = {
  readonly keys: StoredMatrix | null;
  readonly projection: StoredMatrix | null;
};

export function storedMatrices(model: Model): StoredFiles {
  return { keys: storedKeys(model), projection: storedProjection(model) };
}

function storedKeys({ configuration, keys }: Model): StoredMatrix | null {
  if (configuration.keys.kind !== 'reference' || !keys) return null;
  const { adapters: rows, dimension: columns, values } = keys;
  const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { rows, columns, type: 'int8', digest: sha256(content), content };
}

function storedProjection({ quantiser, configuration }: Model): StoredMatrix | null {
  if (!quantiser.projection) return null;
  const { rows, columns, values } = projectionMatrix(quantiser.projection, configuration.encoder);
  const content = littleEndian(values);
  return { rows, columns, type: 'float64', digest: sha256(content), content };
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
