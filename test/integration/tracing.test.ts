import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sampleDeleted } from '#src/events/cloud-event.js';
import type { EmbeddedLog } from '#src/log/embedded.js';
import type { NewRecord } from '#src/log/event-log.js';
import { readDeadLetters } from '#src/store/dead-letters.js';
import { deletion, ingests, openTestHttp, type TestHttp } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const model = tinyModel();
const EVENTS = 'legonet.sample-events';
const VERSIONS = 'legonet.model-versions';

const traceId = (n: number): string => n.toString(16).padStart(32, 'a');
const traceparent = (n: number): string => `00-${traceId(n)}-${'b'.repeat(16)}-01`;
const traced = (record: NewRecord, n: number): NewRecord => ({
  ...record,
  headers: { traceparent: traceparent(n) },
});

let http: TestHttp;
beforeEach(async () => {
  http = await openTestHttp(model);
});
afterEach(() => http.close());

const records = (topic: string) => (http.service.log as EmbeddedLog).read(topic, 0n, 10_000);
const jsonOf = (value: Uint8Array | null | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(value ?? []).toString('utf8'));

/** The last version's event, and the record that it came in. */
async function lastVersion() {
  const published = (await records(VERSIONS)).filter(
    ({ value }) => jsonOf(value).type === 'legonet.model.version.published.v1',
  );
  const record = published.at(-1);
  return { event: jsonOf(record?.value), headers: record?.headers ?? {} };
}

async function project(...all: readonly NewRecord[]): Promise<void> {
  await http.append(all);
  await http.catchUp();
}

describe('without an SDK', () => {
  test('a deletion’s trace reaches the event of the version without the sample, as it came', async () => {
    await project(...ingests(model, 's', 20));
    expect((await lastVersion()).event).not.toHaveProperty('traceparent');
    expect((await lastVersion()).headers).not.toHaveProperty('traceparent');

    await project(traced(deletion('s3'), 1));
    const { event, headers } = await lastVersion();
    expect(event).toMatchObject({ traceparent: traceparent(1), data: { deletions: ['r-s3'] } });
    expect(headers).toMatchObject({ traceparent: traceparent(1) });
  });

  test('of several traces the version has that of the deletion', async () => {
    const [first, ...others] = ingests(model, 's', 20);
    await project(first as NewRecord);
    await project(
      ...others.map((record, n) => traced(record, n + 2)),
      traced(deletion('s0'), 1),
      ...ingests(model, 't', 3).map((record, n) => traced(record, n + 40)),
    );
    expect((await lastVersion()).event.traceparent).toBe(traceparent(1));
  });

  test('a trace changes no bit of a model', async () => {
    const digest = async (mark: (record: NewRecord, n: number) => NewRecord) => {
      const all = [...ingests(model, 's', 20), deletion('s3')].map(mark);
      await project(...all);
      return (await http.json('/v1/versions/latest')) as { modelDigest: string };
    };
    const { modelDigest } = await digest((record) => record);
    await http.close();
    http = await openTestHttp(model);
    expect(await digest(traced)).toMatchObject({ modelDigest });
  });

  test('what is no trace is ignored, whatever else the event asks for', async () => {
    const wrong = ['', 'nonsense', traceparent(1).slice(1), `${traceparent(1)}0`, 'a\u0000b'];
    await project(
      ...ingests(model, 's', 5).map((record, i) => ({
        ...record,
        headers: { traceparent: wrong[i] ?? '', tracestate: '\u0001' },
      })),
      { ...deletion('s1'), headers: { traceparent: 'nonsense' } },
    );
    expect(await readDeadLetters(http.service.database.pool)).toEqual([]);
    expect(await http.json('/v1/status')).toMatchObject({ retained: 4, deleted: 1 });
    expect((await lastVersion()).event).not.toHaveProperty('traceparent');
  });

  test('the log’s own deletion record is in no trace', async () => {
    await project(...ingests(model, 's', 5));
    await project(traced(deletion('s1'), 1));
    const own = (await records(EVENTS)).filter(({ headers }) => 'legonet_record' in headers);
    expect(own.map(({ key }) => key)).toEqual(['s1']);
    expect(JSON.stringify(own.map(({ headers, value }) => [headers, jsonOf(value)]))).not.toContain(
      'trace',
    );
  });

  test('a trace that an HTTP request comes with is that of its events, but of those that have one', async () => {
    await project(...ingests(model, 's', 5));
    const own = { traceparent: traceparent(7) };
    const event = sampleDeleted({ sampleId: 's1' }, { id: 'd1', source: 'urn:test' });
    const headers = {
      'content-type': 'application/cloudevents-batch+json',
      traceparent: traceparent(6),
      tracestate: 'a=b',
    };
    const send = async (body: unknown, tracestate?: string) => {
      const init = { method: 'POST', body: JSON.stringify(body), headers };
      expect((await http.ask('/v1/events', 'all', init)).status).toBe(202);
      const [record] = (await records(EVENTS)).slice(-1);
      expect(record?.headers.tracestate).toBe(tracestate);
      await http.catchUp();
      return (await lastVersion()).event.traceparent;
    };
    expect(await send([event], 'a=b')).toBe(traceparent(6));
    const second = { ...event, id: 'd2', data: { sampleId: 's2' }, ...own };
    expect(await send([second], 'a=b')).toBe(traceparent(7));
    headers.traceparent = 'nonsense';
    expect(await send([{ ...event, id: 'd3', data: { sampleId: 's3' } }])).toBeUndefined();
  });
});

describe('with an SDK', () => {
  const exporter = new InMemorySpanExporter();
  beforeAll(() => {
    const provider = new NodeTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    provider.register();
  });
  afterAll(() => {
    for (const api of [trace, context, propagation]) api.disable();
  });
  beforeEach(() => exporter.reset());

  const spans = (operation: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter(({ name }) => name.split(' ')[0] === operation);
  const last = (operation: string): ReadableSpan => {
    const span = spans(operation).at(-1);
    if (!span) throw new Error(`no span of ${operation}`);
    return span;
  };
  const inTrace = (n: number) =>
    exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId(n));
  const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;
  const links = (span: ReadableSpan) => span.links.map(({ context }) => context.traceId).sort();
  const parentOf = (text: unknown) => String(text).split('-').slice(1, 3);
  const place = (span: ReadableSpan | undefined) => [span?.spanContext().traceId, idOf(span)];

  test('one trace leads from a deletion over its projection and build to the version’s event', async () => {
    await project(...ingests(model, 's', 20));
    exporter.reset();
    const { headers: _, ...record } = deletion('s3');
    const event = jsonOf(record.value);
    const tracestate = 'vendor=1';
    await project({
      ...record,
      value: Buffer.from(JSON.stringify({ ...event, traceparent: traceparent(1), tracestate })),
    });

    const [projected, built, published, ...more] = inTrace(1);
    expect(more).toEqual([]);
    expect(projected).toMatchObject({
      name: `project ${EVENTS}`,
      kind: SpanKind.CONSUMER,
      parentSpanContext: { spanId: 'b'.repeat(16), isRemote: true },
      links: [{ context: { traceId: traceId(1) } }],
      attributes: {
        'messaging.system.name': 'postgresql',
        'messaging.operation.name': 'project',
        'messaging.operation.type': 'process',
        'messaging.destination.name': EVENTS,
        'messaging.destination.partition.id': '0',
        'messaging.consumer.group.name': 'project',
        'messaging.batch.message_count': 1,
      },
    });
    expect(projected?.spanContext().traceState?.serialize()).toBe(tracestate);
    expect(built).toMatchObject({
      name: 'build',
      kind: SpanKind.INTERNAL,
      parentSpanContext: { spanId: idOf(projected) },
      attributes: { 'legonet.version': 2, 'legonet.adapters_rebuilt': 2, 'legonet.deletions': 1 },
    });
    expect(published).toMatchObject({
      name: `publish ${VERSIONS}`,
      kind: SpanKind.PRODUCER,
      parentSpanContext: { spanId: idOf(built) },
      // The version's event, and that of the version which it retires.
      attributes: { 'messaging.operation.type': 'send', 'messaging.batch.message_count': 2 },
    });
    const version = await lastVersion();
    expect(parentOf(version.event.traceparent)).toEqual(place(built));
    expect(parentOf(version.headers.traceparent)).toEqual(place(published));
  });

  test('what comes of several traces is linked to each of them, and to 128 at most', async () => {
    await project(...ingests(model, 's', 3).map((record, n) => traced(record, n + 1)));
    const [projected] = spans('project');
    expect(projected?.parentSpanContext).toBeUndefined();
    expect(projected && links(projected)).toEqual([1, 2, 3].map(traceId));
    expect(last('build').parentSpanContext?.spanId).toBe(idOf(projected));
    expect(parentOf((await lastVersion()).event.traceparent)).toEqual(place(last('build')));

    exporter.reset();
    await project(...ingests(model, 't', 200).map((record, n) => traced(record, n + 1)));
    expect(spans('project')[0]?.links).toHaveLength(128);
  });

  test('a deletion among events of other traces is followed in its own, and all are linked', async () => {
    const [first, ...others] = ingests(model, 's', 4);
    await project(first as NewRecord);
    exporter.reset();
    await project(...others.map((record, n) => traced(record, n + 2)), traced(deletion('s0'), 1));
    expect(inTrace(1).map(({ name }) => name.split(' ')[0])).toEqual([
      'project',
      'build',
      'publish',
    ]);
    expect(spans('project')[0] && links(spans('project')[0] as ReadableSpan)).toEqual(
      [1, 2, 3, 4].map(traceId),
    );
  });

  test('versions of several builds are announced in their own traces', async () => {
    for (const n of [1, 2]) {
      await project(traced(ingests(model, `v${n}-`, 1)[0] as NewRecord, n));
    }
    await http.service.database.pool.query('UPDATE outbox SET published_at = NULL');
    exporter.reset();
    await http.catchUp();
    expect(links(last('publish'))).toEqual([1, 2].map(traceId));
    const again = (await records(VERSIONS)).slice(-2);
    const traces = again.map(({ value, headers }) => [
      parentOf(headers.traceparent)[0],
      parentOf(jsonOf(value).traceparent)[0],
    ]);
    expect(traces).toEqual([1, 2].map((n) => [traceId(n), traceId(n)]));
  });

  test('a failure is told by its code alone', async () => {
    await http.append([{ key: 'subject:', value: Buffer.from('{"secret":1}') }]);
    await expect(http.catchUp()).rejects.toMatchObject({ code: 'partition_stopped' });
    expect(last('project')).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'partition_stopped' },
      events: [],
    });
    expect(last('project').status.message).toBeUndefined();
  });

  test('no span has anything of a person', async () => {
    const [conflict] = ingests(model, 'other', 1);
    const secret = (id: string) => `secret-${id}`;
    await project(...ingests(model, secret('sample'), 10));
    await project(
      traced(deletion(secret('sample1'), secret('request')), 1),
      { key: secret('key'), value: conflict?.value ?? null },
      { key: secret('sample2'), value: Buffer.from(secret('payload')) },
      { key: `subject:${secret('subject')}`, value: null },
      { key: secret('sample3'), value: null, headers: { traceparent: secret('trace') } },
    );
    const exported = exporter.getFinishedSpans().map((span) => ({
      ...{ name: span.name, attributes: span.attributes, events: span.events },
      ...{ links: span.links, status: span.status, context: span.spanContext() },
    }));
    expect(exported.length).toBeGreaterThan(5);
    expect(JSON.stringify(exported)).not.toContain('secret');
    const keys = new Set(exported.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...keys].sort()).toEqual([
      'legonet.adapters_rebuilt',
      'legonet.deletions',
      'legonet.version',
      'messaging.batch.message_count',
      'messaging.consumer.group.name',
      'messaging.destination.name',
      'messaging.destination.partition.id',
      'messaging.operation.name',
      'messaging.operation.type',
      'messaging.system.name',
    ]);
  });
});
