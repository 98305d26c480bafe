import fc from 'fast-check';
import { float32Data } from '#src/events/cloud-event.js';
import type { NewRecord } from '#src/log/event-log.js';
import { syntheticBytes } from './models.js';

/** A record that is no event of the model, and the codes that say why. */
export type Malformed = { readonly record: NewRecord; readonly codes: readonly string[] };

const DIMENSION = 4;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A good ingest of `bad` but for what `changes` and `data` say; undefined leaves out. */
function event(data: Record<string, unknown>, changes: Record<string, unknown> = {}): unknown {
  const good = { sampleId: 'bad', label: 'a', encoding: [1, 2, 3, 4] };
  const attributes = { specversion: '1.0', id: 'e', source: 'urn:test' };
  const type = 'legonet.sample.ingested.v1';
  return { ...attributes, type, data: { ...good, ...data }, ...changes };
}

const made = (
  json: unknown,
  codes: readonly string[],
  key: string | null = 'bad',
  headers: Record<string, string> = {},
): Malformed => ({ record: { key, value: utf8(JSON.stringify(json)), headers }, codes });

const raw = (value: Uint8Array, codes: readonly string[], headers = {}): Malformed => ({
  record: { key: 'bad', value, headers },
  codes,
});

/** Texts that are no ids: empty, too long, with control characters or half of a surrogate pair. */
const badId = fc.oneof(
  fc.constantFrom(
    '',
    'x'.repeat(257),
    '\0',
    'a\0b',
    '\ud800',
    'a\udfffb',
    '\n',
    '\u0085',
    '\u007f',
  ),
  fc.string({ unit: 'binary' }).map((text) => `${text}\u0001`),
);
const notText = fc.oneof(fc.constantFrom(null, true, 1, 1e300, [], {}), fc.object({ maxDepth: 1 }));
const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('\0', '\ud83d', '"', '\\', "'", '{}', '\u2028', '__proto__', 'toString'),
);
const notBase64 = fc.constantFrom('*', 'AAA', 'AA==A', 'AAAA\n', 'AA-_', '=', ' AAAA', 'AB==');
const notLength = fc.integer({ min: 1, max: 40 }).filter((length) => length !== DIMENSION);
const numbers = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 100 }), { minLength: length, maxLength: length });
const place = fc.integer({ min: 0, max: DIMENSION - 1 });

const values: Record<string, fc.Arbitrary<Malformed>> = {
  bytes: fc
    .uint8Array({ maxLength: 50 })
    .map((value) => raw(value, ['not_json', 'not_cloudevent'])),
  broken: fc
    .integer({ min: 0, max: JSON.stringify(event({})).length - 1 })
    .map((length) => raw(utf8(JSON.stringify(event({})).slice(0, length)), ['not_json'])),
  notUtf8: place.map((at) => {
    const value = utf8(JSON.stringify(event({ label: 'aaaa' })));
    value[value.indexOf(0x61, 40) + at] = 0xff;
    return raw(value, ['not_json']);
  }),
  json: fc.jsonValue().map((json) => made(json, ['not_cloudevent'])),
  deep: fc.constant(raw(utf8('['.repeat(100_000) + ']'.repeat(100_000)), ['not_cloudevent'])),
  oversize: fc.constantFrom(1, 2, 1000).map((over) => {
    return raw(new Uint8Array(1024 * 1024 + over).fill(0x20), ['oversize']);
  }),
};

const attributes: Record<string, fc.Arbitrary<Malformed>> = {
  version: fc
    .oneof(oddText, notText)
    .map((specversion) => made(event({}, { specversion }), ['unsupported_specversion'])),
  type: fc
    .oneof(
      oddText,
      fc.constantFrom('legonet.sample.ingested.v2', 'legonet.model.version.retired.v1'),
    )
    .map((type) => made(event({}, { type }), ['unknown_type'])),
  noType: notText.map((type) => made(event({}, { type }), ['not_cloudevent'])),
  id: fc.oneof(badId, notText).map((id) => made(event({}, { id }), ['not_cloudevent'])),
  source: badId.map((source) => made(event({}, { source }), ['not_cloudevent'])),
  missing: fc
    .constantFrom('id', 'source', 'type', 'specversion')
    .map((name) => made(event({}, { [name]: undefined }), ['not_cloudevent'])),
  time: fc
    .oneof(oddText, fc.constantFrom('2024-02-30T00:00:00Z', '2024-01-01', '+10000-01-01T00:00:00Z'))
    .map((time) => made(event({}, { time }), ['invalid_time'])),
  encoded: notBase64.map((data_base64) => made(event({}, { data_base64 }), ['not_cloudevent'])),
  dataType: fc
    .constantFrom('text/xml', 'application/avro')
    .map((datacontenttype) => made(event({}, { datacontenttype }), ['content_mode'])),
  recordTime: fc
    .constantFrom('999999999999999999', '-99999999999999999')
    .map((time) => made(event({}), ['invalid_time'], 'bad', { legonet_record_time: time })),
};

const data: Record<string, fc.Arbitrary<Malformed>> = {
  data: fc
    .constantFrom(null, 1, 'x', [], {}, [[]])
    .map((content) => made(event({}, { data: content }), ['invalid_data'])),
  sampleId: fc
    .oneof(badId, notText, fc.constant('subject:x'))
    .map((sampleId) => made(event({ sampleId }), ['invalid_data'])),
  ownOddKey: badId.map((sampleId) => made(event({ sampleId }), ['invalid_data'], sampleId)),
  subjectId: fc
    .oneof(badId, notText)
    .map((subjectId) => made(event({ subjectId }), ['invalid_data'])),
  label: fc
    .oneof(fc.constantFrom('', 'x'.repeat(257)), notText)
    .map((label) => made(event({ label }), ['invalid_data'])),
  unknownLabel: oddText
    .filter((label) => label !== '' && !['a', 'b', 'c'].includes(label))
    .map((label) => made(event({ label }), ['unknown_label'])),
  wrongKey: oddText
    .filter((key) => key !== 'bad' && !key.startsWith('subject:'))
    .map((key) => made(event({}), ['key_mismatch'], key)),
  longKey: fc
    .integer({ min: 1000, max: 20_000 })
    .map((size) => made(event({}), ['key_mismatch'], syntheticBytes('key', size).toString('hex'))),
  noKey: fc.constant(made(event({}), ['missing_key'], null)),
  input: fc
    .string()
    .map((text) => made(event({ encoding: undefined, input: { text } }), ['input_not_encodable'])),
  both: fc.constant(made(event({ input: { text: 'x' } }), ['invalid_data'])),
};

const encodings: Record<string, fc.Arbitrary<Malformed>> = {
  shape: notText
    .filter((encoding) => encoding !== undefined)
    .map((encoding) => made(event({ encoding }), ['invalid_data'])),
  length: notLength
    .chain(numbers)
    .map((encoding) => made(event({ encoding }), ['wrong_dimension'])),
  int8: notLength
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
    .map((bytes) => {
      const int8 = Buffer.from(bytes).toString('base64');
      return made(event({ encoding: { int8 } }), ['wrong_dimension']);
    }),
  element: fc
    .tuple(numbers(DIMENSION), place, fc.constantFrom(null, '1', [], {}, true))
    .map(([list, at, wrong]) =>
      made(event({ encoding: list.with(at, wrong as number) }), ['invalid_data']),
    ),
  infinite: fc.constantFrom('1e999', '-1e400').map((number) => {
    const text = JSON.stringify(event({ encoding: [1, 2, 3, 424242] }));
    return raw(utf8(text.replace('424242', number)), ['not_finite']);
  }),
  notFinite: fc
    .tuple(place, fc.constantFrom(Number.NaN, Infinity, -Infinity))
    .map(([at, wrong]) => {
      const encoding = float32Data(Float32Array.of(1, 2, 3, 4).with(at, wrong));
      return made(event({ encoding }), ['not_finite']);
    }),
  negative: fc
    .tuple(numbers(DIMENSION), place, fc.double({ min: -1e308, max: -1e-308, noNaN: true }))
    .map(([list, at, wrong]) =>
      made(event({ encoding: list.with(at, wrong) }), ['negative_value']),
    ),
  base64: fc
    .tuple(fc.constantFrom('float32', 'int8'), notBase64)
    .map(([form, text]) => made(event({ encoding: { [form]: text } }), ['invalid_data'])),
  torn: fc
    .constantFrom('AAA=', 'AAAAAAA=')
    .map((float32) => made(event({ encoding: { float32 } }), ['invalid_data'])),
};

const header = fc.dictionary(
  oddText.map((name) => `x-${name}`),
  oddText,
  { maxKeys: 3 },
);

const headers: Record<string, fc.Arbitrary<Malformed>> = {
  contentType: fc
    .constantFrom('application/cloudevents-batch+json', 'application/cloudevents+avro')
    .map((type) => made(event({}), ['content_mode'], 'bad', { 'content-type': type })),
  binary: header.map((odd) => made(event({}), ['not_cloudevent'], 'bad', { ...odd, ce_id: 'e' })),
  binaryType: fc.tuple(header, oddText).map(([odd, ce_type]) => {
    const known = { ce_specversion: '1.0', ce_id: 'e', ce_source: 's', ce_type };
    return made({}, ['unknown_type'], 'bad', { ...odd, ...known });
  }),
  odd: header.map((odd) => made({}, ['not_cloudevent'], 'bad', odd)),
};

const KINDS = { ...values, ...attributes, ...data, ...encodings, ...headers };

/** `count` malformed records of every kind, the same ones for the same seed. */
export function malformedRecords(seed: number, count: number): Malformed[] {
  const { deep, oversize, ...small } = KINDS;
  const large = fc.sample(fc.oneof(...[deep, oversize].flatMap((kind) => kind ?? [])), {
    seed,
    numRuns: 8,
  });
  const each = Math.ceil((count - large.length) / Object.keys(small).length);
  const rest = Object.values(small).flatMap((kind) => fc.sample(kind, { seed, numRuns: each }));
  const all = [...large, ...rest].slice(0, count);
  // Kinds interleaved: record i is that of a stride through all of them.
  const stride = 389;
  return all.map((_, i) => all[(i * stride) % all.length] as Malformed);
}
