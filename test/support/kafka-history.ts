import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import {
  encodeEvent,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
  subjectKey,
} from '#src/events/cloud-event.js';
import type { NewRecord } from '#src/log/event-log.js';
import type { Model } from '#src/model/model.js';
import { syntheticRows } from './models.js';

/** Partitions of the topics of histories. */
export const PARTITIONS = 3;

/** How a producer chooses a partition: as Java's clients do, as librdkafka does, or as it likes. */
export type Partitioner = 'java' | 'librdkafka' | 0 | 1 | 2;
type Mode = 'structured' | 'binary';

/** An event, in words: this is what a counterexample is printed with. */
export type Told =
  | {
      readonly event: 'ingest' | 'correct';
      readonly sample: string;
      readonly subject?: string;
      /** Number of an encoding and its label. */
      readonly content: number;
      readonly id: string;
      readonly second: number;
      readonly mode: Mode;
    }
  | {
      readonly event: 'delete';
      readonly sample: string;
      /** The record's key; a deletion counts under any. */
      readonly key: string;
      readonly id: string;
      readonly second: number;
      readonly mode: Mode;
    }
  | {
      readonly event: 'erase';
      readonly subject: string;
      readonly id: string;
      readonly second: number;
      readonly mode: Mode;
    }
  | { readonly event: 'null'; readonly key: string }
  | { readonly event: 'malformed'; readonly key: string; readonly how: Malformation };

const MALFORMATIONS = ['no json', 'no label', 'wrong key', 'wrong length', 'no such type'] as const;
type Malformation = (typeof MALFORMATIONS)[number];

/** What is sent at once, by one producer. */
export type Sending = { readonly by: Partitioner; readonly events: readonly Told[] };

export type Step =
  | ({ readonly do: 'send' } & Sending)
  /** The last so many events once more, by somebody with another partitioner. */
  | { readonly do: 'send again'; readonly by: Partitioner; readonly last: number }
  | { readonly do: 'start' | 'stop'; readonly process: number }
  /** Until everything that was sent is projected, if anybody is there to do it. */
  | { readonly do: 'catch up' }
  | { readonly do: 'replay' };

/** How many different samples, subjects and contents there are to choose from. */
export type Alphabet = {
  readonly samples: number;
  readonly subjects: number;
  readonly contents: number;
};

const partitioner = fc.constantFrom<Partitioner>('java', 'librdkafka', 0, 1, 2);
const mode = fc.constantFrom<Mode>('structured', 'binary');
const id = fc.integer({ min: 0, max: 9 }).map(String);
const second = fc.integer({ min: 0, max: 9 });

/** Any event. Small alphabets make events meet: the same samples, times and contents again and again. */
export function events({ samples, subjects, contents }: Alphabet): fc.Arbitrary<Told> {
  const sample = fc.integer({ min: 0, max: samples - 1 }).map((n) => `s${n}`);
  const subject = fc.integer({ min: 0, max: subjects - 1 }).map((n) => `p${n}`);
  const content = fc.integer({ min: 0, max: contents - 1 });
  const told = <E extends 'ingest' | 'correct'>(event: E) =>
    fc
      .record({ sample, subject: fc.option(subject, { nil: '' }), content, id, second, mode })
      .map(({ subject: named, ...rest }): Told => {
        return { event, ...rest, ...(named !== '' && { subject: named }) };
      });
  return fc.oneof(
    { weight: 12, arbitrary: told('ingest') },
    { weight: 4, arbitrary: told('correct') },
    {
      weight: 2,
      arbitrary: fc
        .record({ sample, elsewhere: fc.integer({ min: 0, max: 3 }), id, second, mode })
        .map(({ elsewhere, ...rest }): Told => {
          return { event: 'delete', ...rest, key: elsewhere === 0 ? 'elsewhere' : rest.sample };
        }),
    },
    {
      weight: 1,
      arbitrary: fc
        .record({ subject, id, second, mode })
        .map((rest): Told => ({ event: 'erase', ...rest })),
    },
    {
      weight: 1,
      arbitrary: fc
        .oneof({ weight: 4, arbitrary: sample }, { weight: 1, arbitrary: subject.map(subjectKey) })
        .map((key): Told => ({ event: 'null', key })),
    },
    { weight: 2, arbitrary: malformed(sample) },
  );
}

const malformed = (sample: fc.Arbitrary<string>): fc.Arbitrary<Told> =>
  fc
    .record({ key: sample, how: fc.constantFrom(...MALFORMATIONS) })
    .map((rest): Told => ({ event: 'malformed', ...rest }));

export const sendings = (alphabet: Alphabet, maxLength: number): fc.Arbitrary<Sending> =>
  fc.record({
    by: partitioner,
    events: fc.array(events(alphabet), { minLength: 1, maxLength }),
  });

/** Histories of up to four processes that come and go while several producers send. */
export function histories(): fc.Arbitrary<Step[]> {
  const send = sendings({ samples: 5, subjects: 3, contents: 6 }, 12).map(
    (rest): Step => ({ do: 'send', ...rest }),
  );
  const process = fc.integer({ min: 0, max: 3 });
  return fc.array(
    fc.oneof(
      { weight: 8, arbitrary: send },
      {
        weight: 2,
        arbitrary: fc
          .record({ by: partitioner, last: fc.integer({ min: 1, max: 8 }) })
          .map((rest): Step => ({ do: 'send again', ...rest })),
      },
      {
        weight: 5,
        arbitrary: process.map((one): Step => ({ do: 'start', process: one })),
      },
      { weight: 2, arbitrary: process.map((one): Step => ({ do: 'stop', process: one })) },
      { weight: 1, arbitrary: fc.constant<Step>({ do: 'catch up' }) },
      { weight: 1, arbitrary: fc.constant<Step>({ do: 'replay' }) },
    ),
    { minLength: 3, maxLength: 14 },
  );
}

/** The record that such an event is to a producer with such a partitioner. */
export function toRecord(model: Model, told: Told, by: Partitioner): NewRecord {
  const record = withoutPartition(model, told);
  if (by === 'java') return record;
  const key = record.key ?? '';
  return { ...record, partition: by === 'librdkafka' ? crc32(key) % PARTITIONS : by };
}

function withoutPartition(model: Model, told: Told): NewRecord {
  switch (told.event) {
    case 'null':
      return { key: told.key, value: null };
    case 'malformed':
      return { key: told.key, value: malformedValue(model, told.key, told.how) };
    case 'ingest':
    case 'correct': {
      const { sample, subject, mode: as } = told;
      const data = { sampleId: sample, ...contentOf(model, told.content), ...subjectOf(subject) };
      const write = told.event === 'ingest' ? sampleIngested : sampleCorrected;
      return written(sample, write(data, metaOf(told)), as);
    }
    case 'delete': {
      const event = sampleDeleted({ sampleId: told.sample }, metaOf(told));
      return written(told.key, event, told.mode);
    }
    case 'erase': {
      const event = subjectErased({ subjectId: told.subject }, metaOf(told));
      return written(subjectKey(told.subject), event, told.mode);
    }
  }
}

const subjectOf = (subject: string | undefined) => (subject ? { subjectId: subject } : {});
const metaOf = (told: { readonly id: string; readonly second: number }) => ({
  id: told.id,
  source: 'urn:test',
  time: `2024-01-01T00:00:0${told.second}Z`,
});

/** In structured mode, or with its attributes in headers. */
function written(
  key: string,
  event: Parameters<typeof encodeEvent>[0],
  as: Mode,
): Pick<NewRecord, 'key' | 'value' | 'headers'> {
  if (as === 'structured') return { key, value: encodeEvent(event) };
  const { data, datacontenttype, ...attributes } = event;
  const headers = Object.entries(attributes).map(([name, value]) => [`ce_${name}`, String(value)]);
  return {
    key,
    value: Buffer.from(JSON.stringify(data)),
    headers: { 'content-type': datacontenttype, ...Object.fromEntries(headers) },
  };
}

function contentOf(model: Model, number: number) {
  const { dimension, classes } = model.shape;
  const rows = syntheticRows(`content ${number}`, 1, dimension, classes);
  const encoding = Array.from(rows.encodings);
  return { encoding, label: model.configuration.classes[number % 2] ?? '' };
}

function malformedValue(model: Model, key: string, how: Malformation): Uint8Array {
  if (how === 'no json') return Buffer.from([0xff, 0x7b]);
  const { encoding, label } = contentOf(model, 0);
  const data = {
    sampleId: how === 'wrong key' ? `${key}?` : key,
    label: how === 'no label' ? 'no such label' : label,
    encoding: how === 'wrong length' ? [...encoding, 1] : encoding,
  };
  const event = sampleIngested(data, { id: 'bad', source: 'urn:test' });
  return how === 'no such type'
    ? Buffer.from(JSON.stringify({ ...event, type: 'something.else.v1' }))
    : encodeEvent(event);
}
