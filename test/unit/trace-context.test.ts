import { describe, expect, test } from 'vitest';
import { sampleDeleted } from '#src/events/cloud-event.js';
import { readRecord } from '#src/events/read-record.js';
import { readTrace } from '#src/events/trace-context.js';
import { binary, record, structured } from '../support/record.js';

const OWN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const HOP = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
const STATE = 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE';

describe('a traceparent', () => {
  test.each([
    ['in version 00', OWN, OWN],
    ['of a later version', `cc${OWN.slice(2)}-what-the-future-holds`, OWN],
  ])('%s is read', (_, text, traceparent) => {
    expect(readTrace(text)).toEqual({ traceparent });
  });

  test.each([
    [undefined],
    [1],
    [''],
    ['personal data'],
    [OWN.toUpperCase()],
    [`${OWN} `],
    [`${OWN}-01`],
    [OWN.slice(0, -1)],
    [`ff${OWN.slice(2)}`],
    [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    [`00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`],
    [`cc${OWN.slice(2)}-${'x'.repeat(300)}`],
  ])('that is %j is none', (text) => {
    expect(readTrace(text, STATE)).toBeUndefined();
  });

  test('comes with its tracestate, unless that is too long', () => {
    expect(readTrace(OWN, STATE)).toEqual({ traceparent: OWN, tracestate: STATE });
    expect(readTrace(OWN, `a=${'x'.repeat(511)}`)).toEqual({ traceparent: OWN });
    expect(readTrace(OWN, 7)).toEqual({ traceparent: OWN });
  });
});

describe('the trace of an event', () => {
  const deletion = { sampleId: 'a' };
  const type = 'legonet.sample.deleted.v1';
  const event = { specversion: '1.0', id: 'e1', source: 'urn:test', type, data: deletion };
  const traceOf = (of: Parameters<typeof readRecord>[0]) => {
    const read = readRecord(of);
    return read.ok ? read.event.trace : read.error;
  };
  const own = { traceparent: OWN, tracestate: STATE };

  test('is its attribute in structured mode, and its header in binary mode', () => {
    expect(traceOf(structured('a', { ...event, ...own }))).toEqual(own);
    const headers = { ce_type: type, ce_traceparent: OWN, ce_tracestate: STATE };
    expect(traceOf(binary('a', deletion, headers))).toEqual(own);
  });

  test('is its record’s if it has none of its own', () => {
    const headers = { traceparent: HOP };
    expect(traceOf({ ...structured('a', event), headers })).toEqual(headers);
    expect(traceOf(binary('a', deletion, { ce_type: type, ...headers }))).toEqual(headers);
    expect(traceOf(record({ key: 'a', value: null, headers }))).toEqual(headers);
    expect(traceOf({ ...structured('a', { ...event, ...own }), headers })).toEqual(own);
  });

  test('is nothing, and in nobody’s way, if it is malformed', () => {
    for (const traceparent of [null, 5, {}, 'nonsense', OWN.slice(1)]) {
      expect(traceOf(structured('a', { ...event, traceparent, tracestate: [] }))).toBeUndefined();
      const headers = { ce_type: type, ce_traceparent: String(traceparent), traceparent: 'x' };
      expect(traceOf(binary('a', deletion, headers))).toBeUndefined();
    }
    expect(
      traceOf({ ...structured('a', { ...event, traceparent: 5 }), headers: { traceparent: HOP } }),
    ).toEqual({ traceparent: HOP });
  });

  test('is written into it, unless it is malformed', () => {
    const meta = { id: 'e1', source: 'urn:test' };
    expect(sampleDeleted(deletion, { ...meta, trace: own })).toMatchObject(own);
    const event = sampleDeleted(deletion, { ...meta, trace: { traceparent: 'nonsense' } });
    expect(event).not.toHaveProperty('traceparent');
  });
});
