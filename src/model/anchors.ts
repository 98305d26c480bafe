import { createHash, createHmac } from 'node:crypto';
import type { Keys } from './activation.js';
import type { ModelConfiguration } from './configuration.js';
import { joinKeys } from './keyed.js';
import type { Model } from './model.js';
import type { Rows } from './statistics.js';

/*
 * Keys that follow the data, as the paper's do, and are a function of the retained set all the same: a keyed
 * hash of its id gives each sample an adapter and a priority, and an adapter's anchor is the retained sample
 * with the least (priority, id) of those that fall to it. Its encoding is the key.
 */

/** Where an id falls: the adapter whose anchor the sample may be, and its priority there, 24 bytes. */
export type AnchorPlace = { readonly adapter: number; readonly priority: Uint8Array };

/** Null where keys are no samples. */
export function anchorPlaces({
  keys,
  adapters,
}: Pick<ModelConfiguration, 'keys' | 'adapters'>): ((sampleId: string) => AnchorPlace) | null {
  if (keys.kind !== 'anchors') return null;
  const seed = createHash('sha256').update(`legonet.anchor-keys.v1\n${keys.seed}`).digest();
  return (sampleId) => {
    const hash = createHmac('sha256', seed).update(sampleId, 'utf8').digest();
    return {
      adapter: Number(hash.readBigUInt64BE() % BigInt(adapters)),
      priority: hash.subarray(8),
    };
  };
}

/** Samples with their ids, which decide about anchors and nothing else. */
export type Identified = { readonly encodings: Int8Array; readonly ids: readonly string[] };

/** The keys that the samples give. An adapter to which none falls has none. */
export function anchorKeys(
  configuration: Pick<ModelConfiguration, 'keys' | 'adapters'>,
  dimension: number,
  { encodings, ids }: Identified,
): Keys {
  const placeOf = anchorPlaces(configuration);
  if (!placeOf) throw new TypeError('the keys are no anchors');
  const { adapters } = configuration;
  const anchors: (Candidate | undefined)[] = new Array(adapters).fill(undefined);
  ids.forEach((id, row) => {
    const { adapter, priority } = placeOf(id);
    const candidate = { row, priority, id: Buffer.from(id) };
    const anchor = anchors[adapter];
    if (!anchor || isBefore(candidate, anchor)) anchors[adapter] = candidate;
  });
  const keys = anchors.map((anchor) =>
    anchor ? encodings.subarray(anchor.row * dimension, (anchor.row + 1) * dimension) : null,
  );
  return joinKeys(keys, { dimension });
}

type Candidate = { readonly row: number; readonly priority: Uint8Array; readonly id: Buffer };

const isBefore = (a: Candidate, b: Candidate): boolean =>
  (Buffer.compare(a.priority, b.priority) || Buffer.compare(a.id, b.id)) < 0;

/** The model with the keys that the samples give; with its own where keys are no samples. */
export function withKeysFrom(model: Model, { encodings, ids }: Rows): Model {
  const { configuration, shape } = model;
  if (configuration.keys.kind !== 'anchors') return model;
  if (!ids) throw new TypeError('anchors follow from the ids of the samples');
  return { ...model, keys: anchorKeys(configuration, shape.dimension, { encodings, ids }) };
}
