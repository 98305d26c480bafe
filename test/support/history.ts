import {
  type CloudEvent,
  encodeEvent,
  int8Data,
  recordKey,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
} from '#src/events/cloud-event.js';
import { type DigestedEvent, retainedSet } from '#src/events/retained-set.js';
import type { NewRecord } from '#src/log/event-log.js';
import type { Model } from '#src/model/model.js';
import type { Rows } from '#src/model/statistics.js';
import { type Content, interpret } from '#src/projection/interpret.js';
import { syntheticRows } from './models.js';

/** What came into the log, in order; `phases` are where somebody may stop and build. */
export type History = {
  readonly phases: readonly (readonly NewRecord[])[];
  /** `request target` of every deletion asked for. */
  readonly requests: readonly string[];
};

export const toNewRecord = (event: CloudEvent): NewRecord => ({
  key: recordKey(event),
  value: encodeEvent(event),
});

/** Minutes past noon, as an event time. */
const at = (minute: number): string => new Date(Date.UTC(2024, 0, 1, 12, minute)).toISOString();

/** Ingests in several phases, and every kind of event that takes samples away again. */
export function eventfulHistory(model: Model): History {
  const { dimension, classes } = model.shape;
  const rows = syntheticRows('eventful', 200, dimension, classes);
  let drawn = 0;
  const content = (sampleId: string, subjectId?: string) => {
    const row = drawn++;
    const encoding = rows.encodings.slice(row * dimension, (row + 1) * dimension);
    const label = model.configuration.classes[rows.labels[row] ?? 0] ?? '';
    return { sampleId, label, encoding: int8Data(encoding), ...(subjectId && { subjectId }) };
  };
  const meta = (id: string, minute: number) => ({ id, source: 'urn:test', time: at(minute) });
  const ingest = (sampleId: string, minute = 0, subject?: string, id = `i-${sampleId}`) =>
    toNewRecord(sampleIngested(content(sampleId, subject), meta(id, minute)));
  const remove = (sampleId: string, requestId: string) =>
    toNewRecord(sampleDeleted({ sampleId, requestId }, meta(requestId, 30)));
  const erase = (subjectId: string, requestId: string, minute: number) =>
    toNewRecord(subjectErased({ subjectId, requestId }, meta(requestId, minute)));
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ingest(`s${from + i}`));

  const first = many(0, 30);
  const phases = [
    [
      ...first,
      ...['p1', 'p2', 'p3'].map((id) => ingest(id, 1, 'ann')),
      ingest('q1', 1, 'bob'),
      remove('late', 'r-late'),
      ...first.slice(0, 3),
      ingest('s4', 5, undefined, 'conflict'),
    ],
    [
      ...many(30, 50),
      remove('s5', 'r-s5'),
      toNewRecord(sampleCorrected(content('s6'), meta('c-s6', 6))),
      erase('ann', 'r-ann', 10),
      ...first.slice(5, 8),
    ],
    [
      ingest('late'),
      ingest('s5', 40, undefined, 'again'),
      remove('s5', 'r-s5-again'),
      ingest('p4', 9, 'ann'),
      ingest('p5', 11, 'ann'),
      { key: 's41', value: null },
      ...many(50, 55),
    ],
    [
      erase('bob', 'r-bob', 10),
      ...many(55, 60),
      remove('p5', 'r-p5'),
      ingest('s7', 7, undefined, 'conflict too'),
    ],
  ];
  const null41 = phases.flat().findIndex(({ value }) => value === null);
  const requests = ['r-late late', 'r-s5 s5', 'r-s5-again s5', 'r-ann ann', 'r-bob bob'];
  return { phases, requests: [...requests, 'r-p5 p5', `record-0-${null41} s41`].sort() };
}

/** What must be there in the end, by the definition of the retained set. */
export type Expected = {
  readonly retained: ReadonlyMap<string, Content>;
  readonly gone: readonly string[];
  readonly rows: Rows;
  readonly conflicts: ReadonlyMap<string, ReadonlySet<string>>;
};

/** `time`: of every record, in microseconds since 1970. */
export function expectedOf(model: Model, { phases }: History, time = 0n): Expected {
  const contents = new Map<string, Content>();
  const events = phases.flat().map((record, position): DigestedEvent => {
    const headers = record.headers ?? {};
    const read = interpret(model, {
      ...record,
      headers,
      partition: 0,
      position: BigInt(position),
      time,
    });
    if (read.kind === 'deletion') return read.event;
    if (read.kind !== 'content') throw new Error(`record ${position} is ${read.kind}`);
    const { digest } = read.content;
    contents.set(digest, read.content);
    return { ...read.event, digest };
  });
  const { retained, conflicts } = retainedSet(events);
  const kept = [...retained].flatMap(([id, digest]) => {
    const content = contents.get(digest);
    return content ? [[id, content] as const] : [];
  });
  const named = events.flatMap((event) => ('sampleId' in event ? [event.sampleId] : []));
  return {
    retained: new Map(kept),
    conflicts,
    gone: [...new Set(named)].filter((id) => !retained.has(id)),
    rows: {
      encodings: Int8Array.from(kept.flatMap(([, { encoding }]) => Array.from(encoding))),
      labels: kept.map(([, { label }]) => label),
      ids: kept.map(([id]) => id),
    },
  };
}
