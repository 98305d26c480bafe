import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogRecord } from '#src/events/record.js';
import type { Consumption, Erasure, EventLog, NewRecord } from '#src/log/event-log.js';
import { Member, SharedStore } from '../support/group-member.js';
import { syntheticBytes } from '../support/models.js';
import { readBatches, readLog } from '../support/read-log.js';

/** A log to be tested. */
export type OpenLog = {
  readonly log: EventLog;
  /** Empty, and this test's alone. */
  readonly topic: string;
  readonly partitions: number;
  /** The same log as another process has it; `close` closes it as well. */
  another(): Promise<EventLog>;
  close(): Promise<void>;
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | null): string | null => value && new TextDecoder().decode(value);
const record = (key: string | null, value: string | null = 'value'): NewRecord => ({
  key,
  value: value === null ? null : bytes(value),
});
const values = (records: readonly LogRecord[]) => records.map(({ value }) => text(value));
const never = new AbortController().signal;

/** What every event log must do: gaps in positions and several partitions are allowed. */
export function eventLogContract(
  name: string,
  open: (purpose: 'keep' | 'erase') => Promise<OpenLog>,
): void {
  describe(name, () => {
    let opened: OpenLog;
    let log: EventLog;
    let topic: string;

    beforeEach(async ({ task }) => {
      // A log that compacts forgets what has a later record of its key: not in the middle of a test.
      opened = await open(task.suite?.name === 'erase' ? 'erase' : 'keep');
      ({ log, topic } = opened);
    });
    afterEach(() => opened.close());

    /** Consumes until `done` says so; the batches' records. */
    async function consumeUntil(
      from: EventLog,
      done: (records: readonly LogRecord[]) => boolean,
      options: Partial<Consumption> = {},
    ): Promise<LogRecord[]> {
      const records: LogRecord[] = [];
      const controller = new AbortController();
      await from.consume(topic, {
        signal: controller.signal,
        start: async () => 0n,
        handle: async (batch) => {
          records.push(...batch.records);
          if (done(records)) controller.abort();
        },
        ...options,
      });
      return records;
    }

    describe('append', () => {
      test('positions increase, and the records of one key keep their order', async () => {
        for (let i = 0; i < 12; i += 3) {
          await log.append(
            topic,
            [0, 1, 2].map((j) => record(`k${(i + j) % 4}`, String(i + j))),
          );
        }
        const records = await readLog(log, topic);
        expect(values(records).sort()).toEqual(Array.from({ length: 12 }, (_, i) => `${i}`).sort());
        for (const [, own] of groups(records, ({ partition }) => `${partition}`)) {
          own.slice(1).forEach(({ position }, i) => {
            expect(position).toBeGreaterThan(own[i]?.position ?? position);
          });
        }
        for (const [, own] of groups(records, ({ key }) => `${key}`)) {
          expect(own.map(({ value }) => Number(text(value)))).toEqual(
            own.map(({ value }) => Number(text(value))).sort((a, b) => a - b),
          );
        }
      });

      test('no reader misses a record, however many append while it reads', async () => {
        const writers = [log, await opened.another(), await opened.another()];
        const total = writers.length * 40 * 3;
        const reader = consumeUntil(await opened.another(), ({ length }) => length >= total);
        await Promise.all(
          writers.map(async (writer, w) => {
            for (let i = 0; i < 40; i++) {
              const batch = [0, 1, 2].map((j) => record(`k${j}`, `${w} ${i} ${j}`));
              await writer.append(topic, batch);
            }
          }),
        );
        const seen = await reader;
        expect(new Set(values(seen)).size).toBe(total);
        expect(seen.length).toBe(total);
        for (const [, own] of groups(seen, ({ partition }) => `${partition}`)) {
          const positions = own.map(({ position }) => position);
          expect(positions).toEqual([...positions].sort((a, b) => (a < b ? -1 : 1)));
        }
      });

      test('each record is where its append says, in the order of the records', async () => {
        const appended = [
          ...(await log.append(topic, [record('a', '0'), record('b', '1'), record('a', '2')])),
          ...(await log.append(topic, [record('c', '3'), record('d', '4')])),
        ];
        const found = new Map(
          (await readLog(log, topic)).map(({ partition, position, value }) => [
            `${partition}:${position}`,
            text(value),
          ]),
        );
        expect(
          appended.map(({ partition, position }) => found.get(`${partition}:${position}`)),
        ).toEqual(['0', '1', '2', '3', '4']);
        expect(await log.append(topic, [])).toEqual([]);
      });

      test('keys, values and headers come back as they were', async () => {
        const given: NewRecord[] = [
          {
            key: 'Grüße 你好 😀',
            value: bytes('“text” 😀'),
            headers: { ce_type: 'a', 'x-ü': '😀' },
          },
          // A log that compacts has no use for a record without a key.
          {
            key: log.compacts ? 'bytes' : null,
            value: Uint8Array.of(0, 255, 128, 10),
            headers: { quote: `"'\\,{}` },
          },
          { key: `"quoted", \\back\\slash {and} 'more'`, value: new Uint8Array(0) },
          { key: 'gone', value: null },
          // Longer than any index entry, and not to be compressed.
          { key: syntheticBytes('a long key', 20_000).toString('base64'), value: bytes('x') },
          { key: 'lines\nand\ttabs', value: bytes('x'), headers: {} },
        ];
        await log.append(topic, given);
        const records = await readLog(log, topic);
        const plain = ({ key, value, headers = {} }: NewRecord) => ({
          key,
          value: value && Buffer.from(value).toString('hex'),
          headers,
        });
        const sorted = (list: readonly NewRecord[]) =>
          list.map((one) => JSON.stringify(plain(one))).sort();
        expect(sorted(records)).toEqual(sorted(given));
        for (const { time } of records) expect(time).toBeGreaterThan(0n);
      });

      test('appending nothing changes nothing', async () => {
        await log.append(topic, []);
        await log.append(topic, [record('a')]);
        const before = await log.ends(topic);
        await log.append(topic, []);
        expect(await log.ends(topic)).toEqual(before);
      });

      test('a large batch of large records comes in whole', async () => {
        const big = 'x'.repeat(200_000);
        const given = Array.from({ length: 40 }, (_, i) => record(`k${i}`, `${i} ${big}`));
        await log.append(topic, given);
        expect(values(await readLog(log, topic)).sort()).toEqual(
          given.map(({ value }) => text(value)).sort(),
        );
      });
    });

    describe('ends', () => {
      test('an empty topic ends where it begins', async () => {
        for (const [, end] of await log.ends(topic)) expect(end).toBe(0n);
        expect(await readBatches(log, topic)).toEqual([]);
      });

      test('the end is after every record', async () => {
        await log.append(
          topic,
          ['a', 'b', 'c', 'd'].map((key) => record(key)),
        );
        const ends = await log.ends(topic);
        for (const { partition, position } of await readLog(log, topic)) {
          expect(ends.get(partition)).toBeGreaterThan(position);
        }
      });
    });

    describe('consume', () => {
      test('begins at the position that it is told', async () => {
        await log.append(
          topic,
          Array.from({ length: 20 }, (_, i) => record(`k${i}`, `${i}`)),
        );
        const records = await readLog(log, topic);
        const middle = new Map<number, bigint>();
        for (const [, own] of groups(records, ({ partition }) => `${partition}`)) {
          const at = own[own.length >> 1];
          if (at) middle.set(at.partition, at.position);
        }
        const from = (partition: number) => middle.get(partition) ?? 0n;
        const rest = records.filter(({ partition, position }) => position >= from(partition));
        const read = await readLog(await opened.another(), topic, { from });
        expect(values(read).sort()).toEqual(values(rest).sort());
      });

      test('waits for what others append', async () => {
        const other = await opened.another();
        await log.append(topic, [record('a', 'first')]);
        const late = consumeUntil(other, (records) => {
          if (records.length === 1) void log.append(topic, [record('a', 'second')]);
          return records.length === 2;
        });
        expect(values(await late)).toEqual(['first', 'second']);
      });

      test('two consumers of a topic each see all of it', async () => {
        const [one, two] = [0, 1].map(() => consumeUntil(log, ({ length }) => length === 3));
        for (const value of ['1', '2', '3']) await log.append(topic, [record('a', value)]);
        expect(values((await one) ?? [])).toEqual(['1', '2', '3']);
        expect(values((await two) ?? [])).toEqual(['1', '2', '3']);
      });

      test('a batch is within its limits, or one record', async () => {
        const sizes = [10, 10, 10, 500, 10, 90, 10, 1, 1, 1, 1, 1, 200, 200];
        await log.append(
          topic,
          sizes.map((size, i) => record(`k${i}`, 'x'.repeat(size))),
        );
        const batches = await readBatches(log, topic, { maxRecords: 4, maxBytes: 100 });
        expect(batches.flatMap(({ records }) => records).length).toBe(sizes.length);
        for (const { records } of batches) {
          expect(records.length).toBeLessThanOrEqual(4);
          const total = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
          expect(records.length === 1 || total <= 100).toBe(true);
        }
      });

      test('one batch is handled at a time', async () => {
        await log.append(
          topic,
          Array.from({ length: 30 }, (_, i) => record(`k${i}`)),
        );
        let [running, seen] = [0, 0];
        const controller = new AbortController();
        await log.consume(topic, {
          signal: controller.signal,
          maxRecords: 4,
          start: async () => 0n,
          handle: async ({ records }) => {
            expect(++running).toBe(1);
            await new Promise((resolve) => setTimeout(resolve, 1));
            running--;
            seen += records.length;
            if (seen === 30) controller.abort();
          },
        });
        expect(seen).toBe(30);
      });

      test('an abort ends it: before it begins, while it waits, while a batch is handled', async () => {
        await log.append(
          topic,
          Array.from({ length: 10 }, (_, i) => record('a', `${i}`)),
        );
        let handled = 0;
        const handle = async () => {
          handled++;
        };
        const start = async () => 0n;
        await log.consume(topic, { signal: AbortSignal.abort(), start, handle });
        expect(handled).toBe(0);

        const first = new AbortController();
        await log.consume(topic, {
          signal: first.signal,
          maxRecords: 2,
          start,
          handle: async () => {
            await handle();
            first.abort();
          },
        });
        expect(handled).toBe(1);

        const waiting = new AbortController();
        const ends = await log.ends(topic);
        const idle = log.consume(topic, {
          signal: waiting.signal,
          start: async (partition) => ends.get(partition) ?? 0n,
          handle,
        });
        setTimeout(() => waiting.abort(), 50);
        await idle;
        expect(handled).toBe(1);
      });

      test('fails with the very error of its handler', async () => {
        await log.append(topic, [record('a')]);
        const failure = new Error('the handler');
        const handle = () => Promise.reject(failure);
        const start = async () => 0n;
        await expect(log.consume(topic, { signal: never, start, handle })).rejects.toBe(failure);
        await expect(
          log.consume(topic, { signal: never, start: handle, handle: async () => {} }),
        ).rejects.toBe(failure);
        // And the log is as good as before.
        expect((await readLog(log, topic)).length).toBe(1);
      });
    });

    describe('groups', () => {
      const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
      const round = (n: number) => keys.map((key) => record(key, `${key} ${n}`));
      const eventually = (check: () => boolean) =>
        expect.poll(check, { timeout: 60_000, interval: 20 }).toBe(true);

      test('when one leaves, the other goes on where the positions say', async () => {
        const store = new SharedStore();
        const [one, two] = [await opened.another(), await opened.another()];
        const first = new Member(one, topic, store);
        await log.append(topic, round(1));
        await eventually(() => store.records.length === keys.length);
        const second = new Member(two, topic, store);
        await first.leave();
        await log.append(topic, round(2));
        await eventually(() => store.records.length === 2 * keys.length);
        await second.leave();
        const from = new Map(second.starts.map(({ partition, position }) => [partition, position]));
        for (const [partition, end] of await log.ends(topic)) {
          expect(from.has(partition)).toBe(true);
          expect(store.next(partition)).toBe(end);
        }
        expect(new Set(values(store.records)).size).toBe(2 * keys.length);
      });

      test('rebalances lose and double nothing, and keep the order within a key', async () => {
        const store = new SharedStore();
        const logs = [await opened.another(), await opened.another(), await opened.another()];
        const rounds = 30;
        const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
        const join = (i: number) => new Member(logs[i] ?? log, topic, store, slow);
        const members = [join(0)];
        for (let n = 0; n < rounds; n++) {
          await log.append(topic, round(n));
          if (n % 10 === 3) members.push(join(members.length));
          if (n % 10 === 8) await members.shift()?.leave();
        }
        members.push(join(0));
        await eventually(() => store.records.length >= rounds * keys.length);
        await Promise.all(members.map((member) => member.leave()));
        expect(store.records.length).toBe(rounds * keys.length);
        for (const key of keys) {
          const expected = Array.from({ length: rounds }, (_, n) => `${key} ${n}`);
          expect(values(store.records.filter((one) => one.key === key))).toEqual(expected);
        }
      });

      test('members share the partitions', async () => {
        // One partition cannot be shared.
        if (opened.partitions === 1) return;
        const store = new SharedStore();
        const members = [
          new Member(await opened.another(), topic, store),
          new Member(await opened.another(), topic, store),
        ];
        const all = new Set(Array.from({ length: opened.partitions }, (_, i) => i));
        const told = () => members.map(({ assigned }) => new Set(assigned));
        // The first has all of them until the second has joined.
        await eventually(() => members.every(({ assigned }) => assigned.length > 0));
        for (let n = 0; ; n++) {
          for (const { seen } of members) seen.clear();
          const before = { told: told(), count: store.records.length };
          await log.append(topic, round(n));
          await eventually(() => store.records.length === before.count + keys.length);
          expect(new Set(members.flatMap(({ seen }) => [...seen]))).toEqual(all);
          // A round during which they are shared anew says nothing about who reads what.
          const shared = before.told.flatMap((one) => [...one]).toSorted();
          if (!isDeepStrictEqual(shared, [...all])) continue;
          if (!isDeepStrictEqual(told(), before.told)) continue;
          expect(members.map(({ seen }) => seen)).toEqual(before.told);
          break;
        }
        await Promise.all(members.map((member) => member.leave()));
      });
    });

    describe('erase', () => {
      /** The log's own deletion record of a key. */
      const deletionOf = (key: string): ReturnType<Erasure['record']> => ({
        value: bytes(`deletion of ${key}`),
        headers: { 'x-own': key },
      });

      /** Erases keys, in every partition that has records of them, and waits until it is done. */
      async function erase(...keys: string[]): Promise<void> {
        const found = groups(
          (await readLog(log, topic)).filter(({ key }) => keys.includes(`${key}`)),
          ({ key, partition }) => `${partition} ${key}`,
        );
        let waiting = [...found.values()].map(([first]): Erasure => {
          if (!first?.key) throw new Error('a group without records');
          const { key, partition, position } = first;
          return { key, partition, first: position, record: () => deletionOf(key), declared: null };
        });
        while (waiting.length > 0) {
          const progress = await log.erase(topic, waiting, await log.ends(topic));
          waiting = waiting.flatMap((erasure) => {
            const { key, partition } = erasure;
            const step = progress.find((one) => one.key === key && one.partition === partition);
            if (step?.erased) return [];
            if (!step) return [erasure];
            return [{ ...erasure, declared: { position: step.declared, at: new Date() } }];
          });
          if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }

      const of = (records: readonly LogRecord[], key: string) =>
        values(records.filter((one) => one.key === key));

      test('what was there goes, the deletion stays, other keys are not touched', async () => {
        await log.append(topic, [record('a', '1'), record('b', '1'), record('a', '2')]);
        await log.append(topic, [record('a', null), record('c', '2'), record('ab', '1')]);
        await erase('a');
        const records = await readLog(log, topic);
        const own = records.filter(({ key }) => key === 'a');
        expect(values(own)).toEqual(['deletion of a']);
        expect(own[0]?.headers['x-own']).toBe('a');
        expect(of(records, 'b')).toEqual(['1']);
        expect(of(records, 'c')).toEqual(['2']);
        expect(of(records, 'ab')).toEqual(['1']);
      });

      test('a deletion of somebody else goes too: it may say why', async () => {
        await log.append(topic, [record('a', 'content'), record('a', 'delete it, for I am ill')]);
        await erase('a');
        expect(of(await readLog(log, topic), 'a')).toEqual(['deletion of a']);
      });

      test('erasing again leaves the deletion', async () => {
        await log.append(topic, [record('a', '1'), record('b', '1'), record('c', '1')]);
        await erase('a', 'b');
        await erase('b', 'a');
        await erase('a');
        const records = await readLog(log, topic);
        expect(of(records, 'a')).toEqual(['deletion of a']);
        expect(of(records, 'b')).toEqual(['deletion of b']);
        expect(of(records, 'c')).toEqual(['1']);
        expect(await log.erase(topic, [], await log.ends(topic))).toEqual([]);
      });

      test('what came after erasure is erased when asked for again', async () => {
        await log.append(topic, [record('a', '1')]);
        await erase('a');
        await log.append(topic, [record('a', '2')]);
        await erase('a');
        expect(of(await readLog(log, topic), 'a')).toEqual(['deletion of a']);
      });

      test('it stays erased for whoever opens the log again', async () => {
        await log.append(topic, [record('a', 'secret'), record('b', '1')]);
        await erase('a');
        const again = await readLog(await opened.another(), topic);
        expect(of(again, 'a')).toEqual(['deletion of a']);
        expect(of(again, 'b')).toEqual(['1']);
      });

      test('a consumer that was at the end reads on after it', async () => {
        await log.append(topic, [record('a', null), record('a', 'late')]);
        const ends = await log.ends(topic);
        await erase('a');
        await log.append(topic, [record('b', 'next')]);
        const seen = await consumeUntil(log, (records) => values(records).includes('next'), {
          start: async (partition) => ends.get(partition) ?? 0n,
        });
        expect(of(seen, 'b')).toEqual(['next']);
      });
    });
  });
}

function groups(
  records: readonly LogRecord[],
  by: (record: LogRecord) => string,
): Map<string, LogRecord[]> {
  const found = new Map<string, LogRecord[]>();
  for (const one of records) found.set(by(one), [...(found.get(by(one)) ?? []), one]);
  return found;
}
