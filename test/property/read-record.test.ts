import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as write from '#src/events/cloud-event.js';
import { readRecord } from '#src/events/read-record.js';
import type { LogRecord } from '#src/events/record.js';
import { formatTime } from '#src/events/time.js';
import { record } from '../support/record.js';

const TYPES = [
  'legonet.sample.ingested.v1',
  'legonet.sample.corrected.v1',
  'legonet.sample.deleted.v1',
  'legonet.subject.erased.v1',
];
const text = fc.string({ unit: 'binary', maxLength: 20 });
const anything = fc.oneof(fc.jsonValue(), text, fc.constantFrom(null, 'AAAA', '1.0', ...TYPES));
const fieldName = fc.constantFrom(
  ...['specversion', 'id', 'source', 'type', 'time', 'data', 'data_base64', 'datacontenttype'],
);
const dataName = fc.constantFrom(
  ...['sampleId', 'label', 'subjectId', 'encoding', 'input', 'requestId', 'reason', 'requestedAt'],
  ...['__proto__', 'constructor'],
);
const data = fc.dictionary(
  dataName,
  fc.oneof(anything, fc.dictionary(fc.constantFrom('int8', 'float32', 'text'), anything)),
);
const envelope = fc.dictionary(fieldName, fc.oneof(anything, data));
const headers = fc.dictionary(
  fc.oneof(
    fc.constantFrom('ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'content-type'),
    text,
  ),
  fc.oneof(
    text,
    fc.constantFrom('1.0', 'application/cloudevents+json', 'application/json', ...TYPES),
  ),
);
const value = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 200 }),
  fc
    .oneof(
      fc.json(),
      fc.oneof(data, envelope).map((json) => JSON.stringify(json)),
    )
    .map((json) => Buffer.from(json)),
);
const anyRecord: fc.Arbitrary<LogRecord> = fc
  .record({ key: fc.option(text), value, headers, time: fc.bigInt() })
  .map(record);

it('no record makes the reader throw, and none that may ask for a deletion is passed over', () => {
  fc.assert(
    fc.property(anyRecord, (of) => {
      const result = readRecord(of);
      const declared = of.headers.ce_type ?? '';
      const asks = of.value === null || declared === TYPES[2] || declared === TYPES[3];
      if (!result.ok && asks) expect(result.deletion).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

// No control characters, no lone surrogates; anything else.
const id = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 30 })
  .filter((s) => !/[\p{Cc}\p{Cs}]/u.test(s) && !s.startsWith('subject:'));
const time = fc.bigInt({ min: -(10n ** 16n), max: 10n ** 17n });
const int8 = fc.int8Array({ minLength: 1, maxLength: 20 });
const float32 = fc.float32Array({
  noNaN: true,
  noDefaultInfinity: true,
  minLength: 1,
  maxLength: 20,
});
const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });

const encoding = fc.oneof(
  int8.map((values) => ({ data: write.int8Data(values), read: { form: 'int8', values } })),
  float32.map((values) => ({ data: write.float32Data(values), read: { form: 'float32', values } })),
  // JSON has no negative zero.
  numbers
    .map((array) => array.map((n) => n + 0))
    .map((values) => ({ data: values, read: { form: 'numbers', values } })),
);

it('content that is written is read again as it was', () => {
  fc.assert(
    fc.property(
      fc.record({
        sampleId: id,
        label: id,
        subjectId: id,
        eventId: id,
        source: id,
        time,
        encoding,
      }),
      fc.constantFrom('ingested' as const, 'corrected' as const),
      ({ sampleId, label, subjectId, eventId, source, time, encoding }, kind) => {
        const writer = kind === 'ingested' ? write.sampleIngested : write.sampleCorrected;
        const event = writer(
          { sampleId, label, subjectId, encoding: encoding.data },
          { id: eventId, source, time: formatTime(time) },
        );
        const meta = { kind, eventId, source, time };
        expect(readWritten(event)).toEqual({
          ok: true,
          event: { ...meta, sampleId, label, subjectId, encoding: encoding.read },
        });
      },
    ),
  );
});

it('a deletion that is written is read again as it was', () => {
  fc.assert(
    fc.property(id, id, id, time, id, (target, requestId, reason, time, eventId) => {
      const request = { requestId, reason, requestedAt: formatTime(time) };
      const meta = { id: eventId, source: 'urn:test', time: formatTime(time) };
      const common = {
        eventId,
        source: 'urn:test',
        time,
        request: { ...request, requestedAt: time },
      };
      const deleted = write.sampleDeleted({ sampleId: target, ...request }, meta);
      const erased = write.subjectErased({ subjectId: target, ...request }, meta);
      expect(readWritten(deleted)).toEqual({
        ok: true,
        event: { ...common, kind: 'deleted', sampleId: target },
      });
      expect(readWritten(erased)).toEqual({
        ok: true,
        event: { ...common, kind: 'erased', subjectId: target },
      });
    }),
  );
});

function readWritten(event: write.CloudEvent) {
  const headers = { 'content-type': write.EVENT_CONTENT_TYPE };
  return readRecord(
    record({ key: write.recordKey(event), value: write.encodeEvent(event), headers }),
  );
}
