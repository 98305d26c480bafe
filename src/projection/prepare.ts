import { isOwnDeletion } from '../events/own-records.js';
import type { LogRecord } from '../events/record.js';
import { type AnchorPlace, anchorPlaces } from '../model/anchors.js';
import type { Encoder } from '../model/encoder.js';
import type { Model } from '../model/model.js';
import { encodeItems } from './encode.js';
import type { Item } from './fold.js';
import { type Interpreted, interpret } from './interpret.js';
import type { Named } from './load.js';
import { drawSalts, sealRequest, sealSample } from './seals.js';

/** Nearest adapters of `encodings` int8 [count, dimension]: ids [count, activated]. */
export type Activate = (encodings: Int8Array, count: number) => Promise<Int32Array>;

/** Records up to the first that stops its partition. */
export type Prepared = {
  readonly items: readonly Item[];
  readonly stopping: Extract<Interpreted, { kind: 'stopping' }> | null;
};

/** What a batch is prepared with. */
export type PrepareOptions = {
  readonly model: Model;
  readonly activate: Activate;
  /** Of raw inputs; null where events bring encodings. */
  readonly encoder: Encoder | null;
  /** From a deletion until everything must be gone. */
  readonly erasureDeadlineMs: number;
};

/**
 * All of a batch's work that needs no database: reading, checking, encoding, quantising, activating, sealing. Throws the
 * signal's reason if it aborts while inputs are encoded.
 */
export async function prepare(
  { model, activate, encoder, erasureDeadlineMs }: PrepareOptions,
  records: readonly LogRecord[],
  signal?: AbortSignal,
): Promise<Prepared> {
  const readable: Exclude<Interpreted, { kind: 'stopping' }>[] = [];
  let stopping: Prepared['stopping'] = null;
  for (const record of records) {
    const item = interpret(model, record);
    if (item.kind === 'stopping') {
      stopping = item;
      break;
    }
    readable.push(item);
  }
  const read = await encodeItems({ model, encoder }, readable, signal);
  const contents = read.filter((item) => item.kind === 'content');
  const placeOf = anchorPlaces(model.configuration);
  const adaptersOf = placeOf
    ? unplacedBy(placeOf, contents)
    : await placedBy(model, activate, contents);
  const saltOf = drawSalts(read.length);
  let next = 0;
  const items = read.map((item, i): Item => {
    if (item.kind === 'rejected' || item.kind === 'roll') return item;
    const { record } = item;
    if (item.kind === 'deletion') {
      return { ...item, request: sealRequest(saltOf(i), item.event, record, erasureDeadlineMs) };
    }
    const { kind, event, content, wasInput } = item;
    const adapters = adaptersOf(next++);
    const unplaced = placeOf !== null;
    const { sampleId, label } = event;
    const seal = sealSample(event.salt ?? saltOf(i), sampleId, label, content.encoding, adapters);
    return { record, kind, event, content, wasInput, adapters, unplaced, seal };
  });
  return { items, stopping };
}

type Contents = readonly Extract<Interpreted, { kind: 'content' }>[];

async function placedBy({ shape, configuration }: Model, activate: Activate, contents: Contents) {
  const { dimension } = shape;
  const { activated } = configuration;
  const encodings = new Int8Array(contents.length * dimension);
  contents.forEach(({ content }, i) => {
    encodings.set(content.encoding, i * dimension);
  });
  const active =
    contents.length > 0 ? await activate(encodings, contents.length) : new Int32Array();
  return (i: number) => Array.from(active.subarray(i * activated, (i + 1) * activated));
}

/**
 * Where keys are samples, only a build can say which adapters are nearest. Until then a sample is noted with the
 * one whose anchor it may be: built again if the sample goes before it is placed, so that a version shows it.
 */
function unplacedBy(placeOf: (sampleId: string) => AnchorPlace, contents: Contents) {
  const adapters = contents.map(({ event }) => [placeOf(event.sampleId).adapter]);
  return (i: number) => adapters[i] ?? [];
}

/** The samples and subjects whose state decides what the items do. */
export function namedBy(items: readonly Item[]): Named {
  const samples = new Set<string>();
  const subjects = new Set<string>();
  const erased = new Set<string>();
  const noted = new Set<string>();
  for (const item of items) {
    // Whatever a record says, what becomes of it depends on the sample whose key it has.
    if (item.record.key !== null) samples.add(item.record.key);
    if (item.kind === 'rejected' || item.kind === 'roll') continue;
    if (item.event.kind === 'erased') {
      erased.add(item.event.subjectId);
      if (isOwnDeletion(item.record)) noted.add(item.event.request.requestId);
    } else {
      samples.add(item.event.sampleId);
      if ('subjectId' in item.event && item.event.subjectId) subjects.add(item.event.subjectId);
    }
  }
  return { samples, subjects, erased, noted };
}
