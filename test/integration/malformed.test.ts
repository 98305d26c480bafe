import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import type { EventLog, NewRecord } from '#src/log/event-log.js';
import { buildModel } from '#src/model/build.js';
import { catchUp, readLag, waitUntil } from '#src/service/catch-up.js';
import { redrive } from '#src/service/redrive.js';
import { runRole } from '#src/service/roles.js';
import { readDeadLetters, skipLetter } from '#src/store/dead-letters.js';
import { readStatus } from '#src/store/status.js';
import { expectedOf, toNewRecord } from '../support/history.js';
import { malformedRecords } from '../support/malformed.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';

const model = tinyModel({
  encoder: { kind: 'identity', dimension: 4, scale: 7, transform: 'sqrt' },
  keys: { kind: 'random', seed: 'tiny', center: 40, spread: 20 },
});
const never = new AbortController().signal;
const TOPIC = 'legonet.sample-events';

const ingest = (sampleId: string, seed: number, minute = 0): NewRecord => {
  const encoding = [seed % 7, seed % 11, seed % 13, seed % 17];
  const label = ['a', 'b', 'c'][seed % 3] ?? '';
  const time = new Date(Date.UTC(2024, 0, 1, 0, minute)).toISOString();
  return toNewRecord(
    sampleIngested({ sampleId, label, encoding }, { id: `${sampleId} ${seed}`, source: 's', time }),
  );
};
const remove = (sampleId: string): NewRecord =>
  toNewRecord(sampleDeleted({ sampleId, requestId: `r-${sampleId}` }, { id: 'd', source: 's' }));

let service: TestService;
beforeEach(async () => {
  service = await openTestService(model);
});
afterEach(() => service.close());

const append = (...records: NewRecord[]) => service.log.append(TOPIC, records);

async function rows<Row>(sql: string): Promise<Row[]> {
  return (await service.database.pool.query(sql)).rows;
}

const retained = async () =>
  (await rows<{ id: string }>('SELECT sample_id AS id FROM samples ORDER BY 1')).map(
    ({ id }) => id,
  );

type LetterRow = {
  position: bigint;
  key: string | null;
  value: Buffer | null;
  headers: Record<string, string>;
  code: string;
  reason: string;
};

test('a thousand malformed records end nothing, lose nothing and keep nothing good away', async () => {
  const malformed = malformedRecords(7, 1000);
  const records: NewRecord[] = [];
  const codes = new Map<bigint, readonly string[]>();
  malformed.forEach(({ record, codes: expected }, i) => {
    if (i % 4 === 0) records.push(ingest(`good-${i}`, i));
    codes.set(BigInt(records.length), expected);
    records.push(record);
    if (i % 20 !== 0) return;
    codes.set(BigInt(records.length), ['conflicting_content']);
    records.push(ingest(`good-${i}`, i + 1, 1));
  });

  const failures: unknown[] = [];
  const stop = new AbortController();
  const role = runRole(service, 'project', stop.signal, (_, error) => failures.push(error));
  for (let from = 0; from < records.length; from += 97) {
    await append(...records.slice(from, from + 97));
  }
  const done = async () => failures.length > 0 || (await readLag(service)) === 0n;
  await waitUntil(service.database, done, never);
  stop.abort();
  await role;
  expect(failures).toEqual([]);

  const letters = await rows<LetterRow>('SELECT * FROM dead_letters ORDER BY position');
  expect(letters.map(({ position }) => position)).toEqual([...codes.keys()]);
  for (const { position, key, value, headers, code, reason } of letters) {
    const given = records[Number(position)];
    expect(codes.get(position), `${position}: ${code} ${reason}`).toContain(code);
    expect(reason).not.toBe('');
    expect(value?.equals(given?.value ?? new Uint8Array())).toBe(true);
    expect(headers).toEqual(given?.headers ?? {});
    // Neither NUL nor half of a surrogate pair can be part of a key as the log keeps it.
    expect(key).toBe(given?.key?.replace(/[\0\p{Surrogate}]/gu, '\u0001') ?? null);
  }
  const good = records.filter((_, i) => !codes.has(BigInt(i)));
  expect(await retained()).toEqual(good.map(({ key }) => key).sort());

  await catchUp(service, never);
  const expected = expectedOf(model, { phases: [good], requests: [] });
  expect((await readStatus(service.database.pool)).modelDigest).toBe(
    buildModel(service.kernel, model, expected.rows).modelDigest,
  );
});

test.each([
  ['NUL', 'a\0'],
  ['half of a surrogate pair', 'a\ud800'],
])('a key that holds %s never becomes the key of another sample', async (_, key) => {
  await append(ingest('a\uFFFD', 1), { key, value: null });
  await expect(catchUp(service, never)).rejects.toMatchObject({ code: 'partition_stopped' });
  expect(await retained()).toEqual(['a\uFFFD']);
});

describe('redrive', () => {
  const open = async () =>
    (await readDeadLetters(service.database.pool)).map(({ code, key }) => `${code} ${key}`).sort();
  const redriveAll = async () => {
    for (const { id } of await readDeadLetters(service.database.pool)) await redrive(service, id);
  };
  const wrong = () => ({ ...ingest('r', 1), value: Buffer.from('{"not": "an event"}') });

  test('what is still wrong comes back as one letter, as often as it is tried', async () => {
    await append(ingest('x', 1), ingest('x', 2, 1), wrong());
    await catchUp(service, never);
    const before = await open();
    expect(before).toEqual(['conflicting_content x', 'not_cloudevent r']);
    for (let i = 0; i < 3; i++) {
      await redriveAll();
      expect(await open()).toEqual([]);
      await catchUp(service, never);
      expect(await open()).toEqual(before);
    }
  });

  test('a conflict that the projection finds again at once is not lost from sight', async () => {
    await append(ingest('x', 1), ingest('x', 2, 1));
    await catchUp(service, never);
    const { log } = service;
    const eager: EventLog = {
      append: async (topic, records) => {
        const places = await log.append(topic, records);
        await catchUp(service, never);
        return places;
      },
      ends: (topic) => log.ends(topic),
      consume: (topic, consumption) => log.consume(topic, consumption),
      system: log.system,
      compacts: log.compacts,
      shares: log.shares,
      erase: (...all) => log.erase(...all),
      close: () => log.close(),
    };
    const [letter] = await readDeadLetters(service.database.pool);
    await redrive({ ...service, log: eager }, letter?.id ?? 0n);
    expect(await open()).toEqual(['conflicting_content x']);
  });

  test('the deletion of a sample erases what its letters hold of it', async () => {
    await append(ingest('x', 1), ingest('x', 2, 1), wrong());
    await catchUp(service, never);
    await append(remove('x'), remove('r'));
    await catchUp(service, never);
    const kept = await rows<LetterRow>('SELECT * FROM dead_letters WHERE value IS NOT NULL');
    expect(kept).toEqual([]);
    expect(await open()).toEqual(['not_cloudevent r']);
    for (const { id } of await readDeadLetters(service.database.pool)) {
      await expect(redrive(service, id)).rejects.toMatchObject({ code: 'record_erased' });
    }
  });

  test('a malformed record under the key of a deleted sample is erased from the log too', async () => {
    await append(ingest('r', 1), remove('r'), wrong());
    await append(remove('late'), ingest('other', 2));
    await catchUp(service, never);
    await append({ ...wrong(), key: 'late' }, wrong());
    await catchUp(service, never);
    const payloads = `SELECT key, value FROM log_records WHERE topic = '${TOPIC}'
      AND value IS NOT NULL ORDER BY position`;
    const left = await rows<{ key: string; value: Buffer }>(payloads);
    const types = left.map(({ key, value }) => `${key} ${JSON.parse(String(value)).type}`);
    expect(types).toEqual([
      'other legonet.sample.ingested.v1',
      'late legonet.sample.deleted.v1',
      'r legonet.sample.deleted.v1',
    ]);
    expect(await rows('SELECT * FROM dead_letters WHERE value IS NOT NULL')).toEqual([]);
  });
});

describe('a deletion that cannot be applied stops its partition until somebody skips it', () => {
  const deletion = { specversion: '1.0', id: 'd', source: 's', type: 'legonet.sample.deleted.v1' };
  const unreadable: [string, NewRecord][] = [
    ['no sample', { key: 'x', value: Buffer.from(JSON.stringify({ ...deletion, data: {} })) }],
    [
      'a later version of it',
      {
        key: 'x',
        value: Buffer.from(JSON.stringify({ ...deletion, type: 'legonet.sample.deleted.v9' })),
      },
    ],
    [
      'broken JSON',
      {
        key: 'x',
        value: Buffer.from(JSON.stringify({ ...deletion, data: { sampleId: 'x' } }).slice(0, -2)),
      },
    ],
    [
      'binary mode, no id',
      {
        key: 'x',
        value: Buffer.from('{}'),
        headers: { ce_type: 'legonet.subject.erased.v1', ce_specversion: '1.0' },
      },
    ],
    ['bytes under the key of a subject', { key: 'subject:ann', value: Buffer.from([1, 2, 3]) }],
    ['nothing under no key', { key: null, value: null }],
    ['nothing under a key that is no id', { key: 'a\tb', value: null }],
  ];

  test.each(unreadable)('%s', async (_, record) => {
    await append(ingest('a', 1), ingest('b', 2), remove('a'), record);
    await append(ingest('c', 3), remove('b'), ingest('d', 4));
    const stopped = { code: 'partition_stopped', retry: 'stop' };
    await expect(catchUp(service, never)).rejects.toMatchObject(stopped);
    expect(await retained()).toEqual(['b']);
    // Trying again goes no further, and makes no second letter.
    await expect(catchUp(service, never)).rejects.toMatchObject(stopped);
    expect(await retained()).toEqual(['b']);

    const { pool } = service.database;
    const status = await readStatus(pool);
    // The deletion before it is in a published version.
    expect(status).toMatchObject({ deletionsWaiting: 0n, dirtyAdapters: 0n, version: 1 });
    expect(status.stopped).toMatchObject([{ partition: 0, position: 3n }]);
    const letters = await readDeadLetters(pool);
    expect(letters).toMatchObject([{ stopping: true, position: 3n }]);
    const id = letters[0]?.id ?? 0n;
    await expect(redrive(service, id)).rejects.toMatchObject({ code: 'partition_stopped' });

    await skipLetter(pool, id);
    await catchUp(service, never);
    expect(await retained()).toEqual(['c', 'd']);
    expect((await readStatus(pool)).stopped).toEqual([]);
    expect((await readStatus(pool)).deletionsWaiting).toBe(0n);
    expect(await readDeadLetters(pool)).toEqual([]);
  });

  test('one after the other, and each is told', async () => {
    const records = unreadable.map(([, record]) => record);
    await append(...records.flatMap((record, i) => [ingest(`s${i}`, i), record]));
    for (let i = 0; i < records.length; i++) {
      await expect(catchUp(service, never)).rejects.toMatchObject({ code: 'partition_stopped' });
      expect((await retained()).length).toBe(i + 1);
      const letters = await readDeadLetters(service.database.pool);
      expect(letters.map(({ position }) => position)).toEqual([BigInt(2 * i + 1)]);
      for (const { id } of letters) await skipLetter(service.database.pool, id);
    }
    await append(ingest('last', 9));
    await catchUp(service, never);
    expect((await retained()).length).toBe(records.length + 1);
  });
});
