import fc from 'fast-check';
import {
  EVENT_CONTENT_TYPE,
  encodeEvent,
  recordKey,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
} from '#src/events/cloud-event.js';
import type { Input } from '#src/events/event.js';
import type { LogRecord } from '#src/events/record.js';
import { type DigestedEvent, retainedSet } from '#src/events/retained-set.js';
import type { NewRecord } from '#src/log/event-log.js';
import { inputForm } from '#src/model/encoder.js';
import { hashText } from '#src/model/hashing-text.js';
import type { Model } from '#src/model/model.js';
import { quantise } from '#src/model/quantise.js';
import type { Rows } from '#src/model/statistics.js';
import { interpret } from '#src/projection/interpret.js';

/** Small alphabets, so that events meet: the same ids, times and contents again and again. */
const sampleId = fc.constantFrom('s0', 's1', 's2', 's3');
const subjectId = fc.constantFrom('p0', 'p1', 'p2');
const second = fc.integer({ min: 0, max: 9 });
const time = second.map((s) => `2026-01-01T00:00:0${s}Z`);
const eventId = fc.integer({ min: 0, max: 9 }).map(String);

type Content = { readonly label: string } & (
  | { readonly encoding: readonly number[] }
  | { readonly input: { readonly text: string } }
);

const content = (model: Model): fc.Arbitrary<Content> =>
  fc
    .tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.constantFrom(...model.configuration.classes.slice(0, 2)),
      inputForm(model) === 'text' ? fc.boolean() : fc.constant(false),
    )
    .map(([seed, label, isRaw]) => {
      if (isRaw) return { label, input: { text: `${RAW} ${'abc '.repeat(seed)}` } };
      const { dimension } = model.shape;
      const encoding = Array.from(
        { length: dimension },
        (_, i) => ((seed + 3) * (i + 5) * 37) % 120,
      );
      return { label, encoding };
    });

/** In every raw input, and nowhere else. */
export const RAW = 'of a person';

/** In a counterexample, as text. */
const legible = (value: Uint8Array): Uint8Array =>
  Object.assign(value, { [fc.toStringMethod]: () => Buffer.from(value).toString() });

const toRecord = (event: Parameters<typeof recordKey>[0]): NewRecord => ({
  key: recordKey(event),
  value: legible(encodeEvent(event)),
  headers: { 'content-type': EVENT_CONTENT_TYPE },
});

/** In every record that nobody can read and that has the key of a sample, and nowhere else. */
const unreadable = (kind: string, about: string): Uint8Array =>
  legible(
    Buffer.from(`{"specversion":"1.0","type":"legonet.${kind}.v1","data":{"of":"${about}"}}`),
  );

/** Any event, as a producer would write it; without a time, it takes the log's. */
export function records(model: Model): fc.Arbitrary<NewRecord> {
  const meta = fc
    .tuple(eventId, fc.option(time, { nil: undefined, freq: 8 }))
    .map(([id, at]) => ({ id, source: 'urn:test', ...(at !== undefined && { time: at }) }));
  const sample = fc.tuple(sampleId, content(model), meta, fc.option(subjectId, { nil: undefined }));
  const data = (id: string, given: Content, subject: string | undefined) => ({
    sampleId: id,
    ...given,
    ...(subject !== undefined && { subjectId: subject }),
  });
  return fc.oneof(
    {
      weight: 10,
      arbitrary: sample.map(([id, c, m, s]) => toRecord(sampleIngested(data(id, c, s), m))),
    },
    {
      weight: 3,
      arbitrary: sample.map(([id, c, m, s]) => toRecord(sampleCorrected(data(id, c, s), m))),
    },
    {
      weight: 1,
      // It counts under any key.
      arbitrary: fc
        .tuple(sampleId, meta, fc.option(sampleId, { freq: 2 }))
        .map(([id, m, under]) => {
          const record = toRecord(sampleDeleted({ sampleId: id }, m));
          return { ...record, key: under ?? record.key };
        }),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(subjectId, meta)
        .map(([id, m]) => toRecord(subjectErased({ subjectId: id }, m))),
    },
    { weight: 1, arbitrary: sampleId.map((key) => ({ key, value: null })) },
    {
      weight: 1,
      arbitrary: sampleId.map((key) => ({ key, value: unreadable('sample.ingested', key) })),
    },
    // It stops its partition.
    {
      weight: 1,
      arbitrary: sampleId.map((key) => ({ key, value: unreadable('sample.deleted', key) })),
    },
  );
}

/** Many samples at once: enough members for the primal form and its kept statistics. */
export function bulk(model: Model): fc.Arbitrary<NewRecord[]> {
  return fc.integer({ min: 10, max: 60 }).map((count) =>
    Array.from({ length: count }, (_, i) => {
      const encoding = Array.from(
        { length: model.shape.dimension },
        (_, j) => ((i + 1) * (j + 3) * 53) % 127,
      );
      const label = model.configuration.classes[i % 3] ?? '';
      const id = `b${i}`;
      const event = sampleIngested(
        { sampleId: id, label, encoding, subjectId: `q${i % 4}` },
        { id, source: 'urn:test', time: '2026-01-01T00:00:05Z' },
      );
      return toRecord(event);
    }),
  );
}

/** So many records of a partition, or of each. */
export type Part = { readonly count: number; readonly partition: number | null };

export type Step =
  | { readonly kind: 'append'; readonly records: readonly NewRecord[] }
  | ({ readonly kind: 'project' } & Part)
  /** A build during which so many records are projected. */
  | { readonly kind: 'build'; readonly meanwhile: Part | null }
  /** Two builders at once: the slower one finds itself overtaken. */
  | { readonly kind: 'race' }
  | { readonly kind: 'publish' }
  /** The publisher goes, or comes again: what is erased, or written again, waits for it. */
  | { readonly kind: 'publisher'; readonly there: boolean }
  /** An operator lets partitions go on that stand still before a deletion that nobody can read. */
  | { readonly kind: 'skip' }
  /** The projections dropped; the log is projected again. */
  | { readonly kind: 'replay' }
  /** The log keeps the last record of each key, where it compacts at all, of those that were ever projected. */
  | { readonly kind: 'compact' }
  | { readonly kind: 'restart' };

export function histories(model: Model, partitions: number | null): fc.Arbitrary<Step[]> {
  const compacts = partitions !== null;
  const partition = fc.nat({ max: (partitions ?? 1) - 1 });
  const wholeClass = fc.constant(
    Array.from({ length: 20 }, (_, i) =>
      toRecord(sampleDeleted({ sampleId: `b${i * 3}` }, { id: `class-${i}`, source: 'urn:test' })),
    ),
  );
  const everything = fc.constant([
    ...Array.from({ length: 8 }, (_, i) => ({ key: `s${i}`, value: null })),
    ...Array.from({ length: 60 }, (_, i) => ({ key: `b${i}`, value: null })),
  ]);
  const sent = fc.oneof(
    { weight: 12, arbitrary: fc.array(records(model), { minLength: 1, maxLength: 6 }) },
    { weight: 3, arbitrary: bulk(model) },
    { weight: 1, arbitrary: wholeClass },
    { weight: 1, arbitrary: everything },
  );
  // By the key, or a producer with another partitioner.
  const where = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.record({ partition }) },
  );
  const append = fc
    .tuple(sent, where)
    .map(([all, to]): Step => ({ kind: 'append', records: all.map((one) => ({ ...one, ...to })) }));
  const small = fc.integer({ min: 1, max: 8 });
  const part = (count: fc.Arbitrary<number>) =>
    fc.record({ count, partition: fc.option(partition, { freq: 2 }) });
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: append },
      {
        weight: 6,
        arbitrary: part(fc.oneof(small, fc.constant(1000))).map(
          (projected): Step => ({ kind: 'project', ...projected }),
        ),
      },
      {
        weight: 4,
        arbitrary: fc
          .oneof(fc.constant(null), part(small))
          .map((meanwhile): Step => ({ kind: 'build', meanwhile })),
      },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: 'race' }) },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: 'publish' }) },
      {
        weight: 2,
        arbitrary: fc.boolean().map((there): Step => ({ kind: 'publisher', there })),
      },
      { weight: 2, arbitrary: fc.constant<Step>({ kind: 'skip' }) },
      { weight: compacts ? 3 : 1, arbitrary: fc.constant<Step>({ kind: 'replay' }) },
      { weight: compacts ? 4 : 0, arbitrary: fc.constant<Step>({ kind: 'compact' }) },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
    ),
    { minLength: 4, maxLength: 16 },
  );
}

/** What the rule says of these records, read one by one: their events, the retained rows, and the conflicts. */
export function expected(model: Model, log: readonly LogRecord[]) {
  const contents = new Map<string, Int8Array>();
  const labels = new Map<string, number>();
  const events = log.flatMap((record): DigestedEvent[] => {
    const read = interpret(model, record);
    if (read.kind === 'deletion') return [read.event];
    if (read.kind !== 'content' && read.kind !== 'input') return [];
    const { digest, label } = read.content;
    labels.set(digest, label);
    contents.set(digest, read.kind === 'input' ? encode(model, read.input) : read.content.encoding);
    return [{ ...read.event, digest }];
  });
  const { retained, conflicts } = retainedSet(events);
  const digests = [...retained.values()];
  const { dimension } = model.shape;
  const encodings = new Int8Array(digests.length * dimension);
  digests.forEach((digest, i) => {
    encodings.set(contents.get(digest) ?? [], i * dimension);
  });
  const rows: Rows = {
    encodings,
    labels: digests.map((digest) => labels.get(digest) ?? 0),
    ids: [...retained.keys()],
  };
  return { events, retained, conflicts, rows };
}

function encode({ configuration, quantiser }: Model, input: Input): Int8Array {
  const { encoder } = configuration;
  if (encoder.kind !== 'hashing-text' || input.form !== 'text') throw new Error('not a text');
  return quantise(quantiser, hashText(encoder, input.text));
}
