import { describe, expect, it } from 'vitest';
import * as write from '#src/events/cloud-event.js';

const meta = { id: 'e1', source: 'urn:test' };
const digest = 'ab'.repeat(32);
const version = { model: 'digits', version: 2 };
const retired = write.versionRetired({ ...version, because: 3, erasedWeights: [digest] }, meta);

describe('an event that is written', () => {
  it('is a CloudEvent in structured mode', () => {
    const event = write.sampleDeleted({ sampleId: 'a' }, { ...meta, time: '2024-01-01T00:00:00Z' });
    expect(JSON.parse(Buffer.from(write.encodeEvent(event)).toString())).toEqual({
      specversion: '1.0',
      id: 'e1',
      source: 'urn:test',
      type: 'legonet.sample.deleted.v1',
      time: '2024-01-01T00:00:00Z',
      datacontenttype: 'application/json',
      data: { sampleId: 'a' },
    });
  });

  it('has the key of its sample, its subject or its version', () => {
    const data = { sampleId: 'a', label: '1', encoding: [1] };
    expect(write.recordKey(write.sampleIngested(data, meta))).toBe('a');
    expect(write.recordKey(write.sampleCorrected(data, meta))).toBe('a');
    expect(write.recordKey(write.sampleDeleted({ sampleId: 'a' }, meta))).toBe('a');
    expect(write.recordKey(write.subjectErased({ subjectId: 'p' }, meta))).toBe('subject:p');
    expect(write.recordKey(retired)).toBe('digits:2');
  });

  it('may name the weights of a version', () => {
    const published = write.versionPublished(
      {
        ...version,
        parent: null,
        modelDigest: digest,
        configDigest: digest,
        cut: { '0': '12345678901234567890' },
        rebuilt: [0],
        carried: 0,
        deletions: ['r'],
        retained: 5,
        weights: [{ adapter: 0, digest }],
      },
      meta,
    );
    expect(write.recordKey(published)).toBe('digits:2');
    expect(published.data.weights).toEqual([{ adapter: 0, digest }]);
  });

  it.each([
    ['invalid_data', () => write.sampleDeleted({ sampleId: 'subject:a' }, meta)],
    ['invalid_data', () => write.sampleDeleted({ sampleId: 'a' }, { ...meta, id: '' })],
    ['invalid_time', () => write.sampleDeleted({ sampleId: 'a' }, { ...meta, time: 'now' })],
    ['invalid_data', () => write.sampleIngested({ sampleId: 'a', label: '1' }, meta)],
    [
      'not_finite',
      () => write.sampleIngested({ sampleId: 'a', label: '1', encoding: [1 / 0] }, meta),
    ],
    [
      'not_finite',
      () =>
        write.sampleIngested(
          { sampleId: 'a', label: '1', encoding: write.float32Data(Float32Array.of(NaN)) },
          meta,
        ),
    ],
  ])('is refused as %s where a reader would refuse it', (code, writing) => {
    expect(writing).toThrow(expect.objectContaining({ name: 'LegonetError', code }));
  });
});
