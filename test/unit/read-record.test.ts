import { describe, expect, it } from 'vitest';
import { readRecord } from '#src/events/read-record.js';
import { LIMITS, type LogRecord, RECORD_TIME_HEADER } from '#src/events/record.js';
import { binary, record, structured, utf8 } from '../support/record.js';

const INGESTED = { ce_type: 'legonet.sample.ingested.v1' };
const DELETED = { ce_type: 'legonet.sample.deleted.v1' };
const ERASED = { ce_type: 'legonet.subject.erased.v1' };
const DATA = { sampleId: 'a', label: '3', encoding: [1, -2.5] };
const EVENT = {
  specversion: '1.0',
  id: 'e1',
  source: 'urn:test',
  type: 'legonet.sample.ingested.v1',
  data: DATA,
};
const DELETION = { ...EVENT, type: 'legonet.sample.deleted.v1', data: { sampleId: 'a' } };
const INGESTED_A = {
  kind: 'ingested',
  eventId: 'e1',
  source: 'urn:test',
  time: 1_000_000n,
  sampleId: 'a',
  label: '3',
  encoding: { form: 'numbers', values: [1, -2.5] },
};

const read = (of: LogRecord) => {
  const result = readRecord(of);
  return result.ok ? result.event : `${result.error.code}: ${result.error.message}`;
};
const base64 = (...bytes: number[]) => Buffer.from(bytes).toString('base64');
const withData = (data: object) => binary('a', { ...DATA, ...data }, INGESTED);
const withEncoding = (encoding: unknown) => withData({ encoding });

describe('an event', () => {
  it('is read from Kafka’s binary and structured mode alike', () => {
    const types = ['application/json', 'application/json; charset=utf-8', 'application/x+json'];
    for (const type of types) {
      expect(read(binary('a', DATA, { ...INGESTED, 'content-type': type }))).toEqual(INGESTED_A);
      expect(read(structured('a', { ...EVENT, datacontenttype: type }))).toEqual(INGESTED_A);
    }
    expect(read(binary('a', DATA, INGESTED))).toEqual(INGESTED_A);
    const headers = { 'content-type': 'Application/CloudEvents+JSON; charset=UTF-8' };
    expect(read({ ...structured('a', EVENT), headers })).toEqual(INGESTED_A);
  });

  it('may carry its JSON data in base64, attributes and fields that are not known', () => {
    const { data, ...rest } = EVENT;
    const data_base64 = Buffer.from(JSON.stringify(data)).toString('base64');
    expect(read(structured('a', { ...rest, data_base64, traceparent: 1 }))).toEqual(INGESTED_A);
    expect(read(withData({ added: { later: true } }))).toEqual(INGESTED_A);
  });

  it('has its own time, else the time of its record, else of the first of its records', () => {
    const ce_time = '1970-01-01T00:00:02.5+00:00';
    expect(read(binary('a', DATA, { ...INGESTED, ce_time }))).toMatchObject({ time: 2_500_000n });
    const again = { ...INGESTED, [RECORD_TIME_HEADER]: '42' };
    expect(read(binary('a', DATA, again))).toMatchObject({ time: 42n });
    const junk = { ...INGESTED, [RECORD_TIME_HEADER]: '4.2' };
    expect(read(binary('a', DATA, junk))).toMatchObject({ time: 1_000_000n });
  });

  it('has its encoding in one of three forms, or the input of one', () => {
    const encodingOf = (encoding: unknown) => read(withEncoding(encoding));
    expect(encodingOf({ int8: base64(1, 255, 128) })).toMatchObject({
      encoding: { form: 'int8', values: Int8Array.of(1, -1, -128) },
    });
    expect(encodingOf({ float32: base64(0, 0, 128, 63, 0, 0, 0, 192) })).toMatchObject({
      encoding: { form: 'float32', values: Float32Array.of(1, -2) },
    });
    expect(read(withData({ encoding: undefined, input: { text: 'é' } }))).toMatchObject({
      input: { form: 'text', text: 'é' },
    });
    const media = { mediaType: 'image/png', base64: base64(1, 2) };
    expect(read(withData({ encoding: undefined, input: media }))).toMatchObject({
      input: { form: 'media', mediaType: 'image/png', bytes: Uint8Array.of(1, 2) },
    });
  });

  it('with long text is read', () => {
    const text = 'é'.repeat(500_000);
    expect(read(withData({ encoding: undefined, input: { text } }))).toMatchObject({
      input: { text },
    });
  });
});

describe('a deletion', () => {
  const request = { requestId: 'e1' };
  const common = { eventId: 'e1', source: 'urn:test', time: 1_000_000n, request };

  it('names a sample or a subject, and its request by the event’s id unless told', () => {
    expect(read(binary('a', { sampleId: 'a' }, DELETED))).toEqual({
      ...common,
      kind: 'deleted',
      sampleId: 'a',
    });
    const own = { requestId: 'r', reason: 'asked', requestedAt: '1970-01-01T00:00:03Z' };
    expect(read(binary('subject:p', { subjectId: 'p', ...own }, ERASED))).toEqual({
      ...common,
      kind: 'erased',
      subjectId: 'p',
      request: { requestId: 'r', reason: 'asked', requestedAt: 3_000_000n },
    });
  });

  it.each([null, 'another', ''])('counts under the record key %j', (key) => {
    expect(read(binary(key, { sampleId: 'a' }, DELETED))).toMatchObject({ sampleId: 'a' });
    expect(read(binary(key, { subjectId: 'p' }, ERASED))).toMatchObject({ subjectId: 'p' });
  });

  it('is what a null value on a key asks for', () => {
    const eventId = 'record-0-7';
    const event = {
      eventId,
      source: 'urn:legonet:log',
      time: 1_000_000n,
      request: { requestId: eventId },
    };
    expect(read(record({ key: 'a' }))).toEqual({ ...event, kind: 'deleted', sampleId: 'a' });
    expect(read(record({ key: 'subject:p' }))).toEqual({
      ...event,
      kind: 'erased',
      subjectId: 'p',
    });
  });
});

const oversize = 'x'.repeat(LIMITS.recordBytes);
const long = 'x'.repeat(257);

describe('content that cannot be read is rejected', () => {
  it.each<[string, LogRecord, string]>([
    ['a value beyond the limit', withData({ label: oversize }), 'oversize: value'],
    ['no bytes', binary('a', '', INGESTED), 'not_json'],
    ['cut JSON', binary('a', '{"sampleId":', INGESTED), 'not_json'],
    ['no UTF-8', record({ key: 'a', value: Uint8Array.of(0x22, 0xff, 0x22) }), 'not_json'],
    ['JSON that is no event', structured('a', [EVENT]), 'not_cloudevent'],
    [
      'no specversion',
      structured('a', { ...EVENT, specversion: undefined }),
      'not_cloudevent: specversion',
    ],
    [
      'another specversion',
      structured('a', { ...EVENT, specversion: '0.3' }),
      'unsupported_specversion',
    ],
    [
      'no ce_specversion',
      record({ key: 'a', value: utf8('{}'), headers: INGESTED }),
      'not_cloudevent: ce_specversion',
    ],
    ['no type', binary('a', DATA, {}), 'not_cloudevent: ce_type'],
    ['no id', structured('a', { ...EVENT, id: undefined }), 'not_cloudevent: id'],
    ['an empty id', structured('a', { ...EVENT, id: '' }), 'not_cloudevent: id'],
    [
      'a control character in a source',
      binary('a', DATA, { ...INGESTED, ce_source: 'a\nb' }),
      'not_cloudevent: ce_source',
    ],
    [
      'data_base64 that is none',
      structured('a', { ...EVENT, data_base64: '?' }),
      'not_cloudevent: data_base64',
    ],
    [
      'a time without offset',
      binary('a', DATA, { ...INGESTED, ce_time: '2024-01-01T00:00:00' }),
      'invalid_time: ce_time',
    ],
    ['a time that is a number', structured('a', { ...EVENT, time: 1 }), 'not_cloudevent: time'],
    [
      'a record time beyond all years',
      { ...structured('a', EVENT), time: 2n ** 62n },
      'invalid_time',
    ],
    [
      'data that are no JSON',
      binary('a', DATA, { ...INGESTED, 'content-type': 'text/csv' }),
      'content_mode',
    ],
    [
      'structured data that are no JSON',
      structured('a', { ...EVENT, datacontenttype: 'text/csv' }),
      'content_mode',
    ],
    [
      'a batch',
      {
        ...structured('a', [EVENT]),
        headers: { 'content-type': 'application/cloudevents-batch+json' },
      },
      'content_mode',
    ],
    [
      'a type of ours that is not a sample’s',
      binary('a', DATA, { ce_type: 'legonet.model.version.published.v1' }),
      'unknown_type',
    ],
    [
      'a type to come',
      binary('a', DATA, { ce_type: 'legonet.sample.ingested.v2' }),
      'unknown_type',
    ],
    ['no data', structured('a', { ...EVENT, data: undefined }), 'invalid_data: data'],
    [
      'data that are a string',
      structured('a', { ...EVENT, data: JSON.stringify(DATA) }),
      'invalid_data: data',
    ],
    ['no sample id', withData({ sampleId: undefined }), 'invalid_data: data.sampleId'],
    ['an empty sample id', withData({ sampleId: '' }), 'invalid_data: data.sampleId'],
    ['a long sample id', withData({ sampleId: long }), 'invalid_data: data.sampleId'],
    ['a NUL in a sample id', withData({ sampleId: 'a\0' }), 'invalid_data: data.sampleId'],
    [
      'half a surrogate pair in a sample id',
      withData({ sampleId: 'a\ud800' }),
      'invalid_data: data.sampleId',
    ],
    [
      'a sample id that looks like a subject’s key',
      withData({ sampleId: 'subject:a' }),
      'invalid_data: data.sampleId',
    ],
    ['a subject id that is a number', withData({ subjectId: 5 }), 'invalid_data: data.subjectId'],
    ['a label that is a number', withData({ label: 3 }), 'invalid_data: data.label'],
    ['an empty label', withData({ label: '' }), 'invalid_data: data.label'],
    ['a long label', withData({ label: long }), 'invalid_data: data.label'],
    ['neither encoding nor input', withData({ encoding: undefined }), 'invalid_data: data'],
    ['both encoding and input', withData({ input: { text: 'x' } }), 'invalid_data: data'],
    [
      'an input that is neither',
      withData({ encoding: undefined, input: {} }),
      'invalid_data: data.input',
    ],
    [
      'half a surrogate pair in a text',
      withData({ encoding: undefined, input: { text: '\udc00' } }),
      'invalid_data: data.input',
    ],
    [
      'a media type that is none',
      withData({ encoding: undefined, input: { mediaType: 'png', base64: '' } }),
      'invalid_data: data.input',
    ],
    ['an encoding of null', withEncoding(null), 'invalid_data: data.encoding'],
    ['an empty encoding', withEncoding([]), 'invalid_data: data.encoding'],
    ['an empty int8 encoding', withEncoding({ int8: '' }), 'invalid_data: data.encoding'],
    [
      'a long encoding',
      withEncoding({ int8: 'AAAA'.repeat(21_846) }),
      'invalid_data: data.encoding',
    ],
    ['a string among the numbers', withEncoding([1, '2']), 'invalid_data: data.encoding'],
    [
      'two encodings',
      withEncoding({ int8: 'AAAA', float32: 'AAAAAA==' }),
      'invalid_data: data.encoding',
    ],
    ['base64 for URLs', withEncoding({ int8: '-_-_' }), 'invalid_data: data.encoding'],
    ['base64 with white space', withEncoding({ int8: 'AA AA' }), 'invalid_data: data.encoding'],
    ['base64 without padding', withEncoding({ int8: 'AA' }), 'invalid_data: data.encoding'],
    ['base64 with bits left over', withEncoding({ int8: 'AB==' }), 'invalid_data: data.encoding'],
    ['three bytes of float32', withEncoding({ float32: 'AAAA' }), 'invalid_data: data.encoding'],
    [
      'a float32 NaN',
      withEncoding({ float32: base64(0, 0, 192, 127) }),
      'not_finite: data.encoding',
    ],
    [
      'a float32 infinity',
      withEncoding({ float32: base64(0, 0, 128, 255) }),
      'not_finite: data.encoding',
    ],
    [
      'a number too large',
      binary('a', '{"sampleId":"a","label":"3","encoding":[1e999]}', INGESTED),
      'not_finite: data.encoding',
    ],
    ['no record key', binary(null, DATA, INGESTED), 'missing_key'],
    ['another record key', binary('b', DATA, INGESTED), 'key_mismatch'],
    ['a subject’s record key', binary('subject:a', DATA, INGESTED), 'key_mismatch'],
  ])('%s', (_, of, expected) => {
    const result = readRecord(of);
    expect(result).toMatchObject({ ok: false, deletion: false });
    expect(read(of)).toMatch(expected);
  });

  it('without its values in the message', () => {
    const secret = 'Marie Dupont';
    const fields = ['sampleId', 'label', 'subjectId', 'encoding', 'input'];
    const of = fields.map((field) => withData({ [field]: `${secret}\0` }));
    const attributes = ['ce_specversion', 'ce_type', 'ce_id', 'ce_time', 'content-type'];
    of.push(...attributes.map((name) => binary('a', DATA, { ...INGESTED, [name]: `${secret}\0` })));
    of.push(binary('a', `{"sampleId": "${secret}`, INGESTED), binary(secret, DATA, INGESTED));
    const errors = of.map(read).filter((error) => typeof error === 'string');
    expect(errors).toHaveLength(of.length - 1);
    expect(errors.join()).not.toContain('Marie');
  });
});

describe('what asks for a deletion and cannot be understood says so', () => {
  const cut = utf8(JSON.stringify(DELETION).slice(0, -1));
  it.each<[string, LogRecord, string]>([
    ['a null value without a key', record({}), 'missing_key'],
    ['a null value under no id', record({ key: 'a\n' }), 'invalid_key'],
    ['a null value under no subject’s id', record({ key: 'subject:' }), 'invalid_key'],
    ['no sample id', binary('a', {}, DELETED), 'invalid_data: data.sampleId'],
    ['no subject id', binary('a', {}, ERASED), 'invalid_data: data.subjectId'],
    [
      'a time of request that is none',
      binary('a', { sampleId: 'a', requestedAt: 'now' }, DELETED),
      'invalid_time',
    ],
    [
      'a long reason',
      binary('a', { sampleId: 'a', reason: 'x'.repeat(5000) }, DELETED),
      'invalid_data',
    ],
    ['cut JSON under its type', binary('a', '{', DELETED), 'not_json'],
    ['cut JSON that names its type', record({ key: 'a', value: cut }), 'not_json'],
    ['no JSON under a subject’s key', record({ key: 'subject:p', value: utf8('p') }), 'not_json'],
    ['no id in structured mode', structured('a', { ...DELETION, id: undefined }), 'not_cloudevent'],
    [
      'another specversion',
      structured('a', { ...DELETION, specversion: '2.0' }),
      'unsupported_specversion',
    ],
    ['a type to come', binary('a', {}, { ce_type: 'legonet.sample.deleted.v2' }), 'unknown_type'],
    [
      'a batch',
      {
        ...structured('a', DELETION),
        headers: { 'content-type': 'application/cloudevents-batch+json' },
      },
      'content_mode',
    ],
    ['a value beyond the limit', structured('a', { ...DELETION, more: oversize }), 'oversize'],
  ])('%s', (_, of, expected) => {
    expect(readRecord(of)).toMatchObject({ ok: false, deletion: true });
    expect(read(of)).toMatch(expected);
  });
});
