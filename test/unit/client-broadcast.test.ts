import { expect, test } from 'vitest';
import { Broadcast } from '#src/client/updates.js';

async function read<T>(iterator: AsyncIterableIterator<T>, count: number): Promise<T[]> {
  const values: T[] = [];
  for (let i = 0; i < count; i++) {
    const next = await iterator.next();
    if (!next.done) values.push(next.value);
  }
  return values;
}

test('everybody who iterates gets what is sent from then on', async () => {
  const broadcast = new Broadcast<number>(10);
  const first = broadcast.iterate();
  broadcast.send(1);
  const second = broadcast.iterate();
  broadcast.send(2);
  expect(await read(first, 2)).toEqual([1, 2]);
  expect(await read(second, 1)).toEqual([2]);
  const waiting = first.next();
  broadcast.send(3);
  expect(await waiting).toEqual({ done: false, value: 3 });
});

test('who reads too slowly loses the oldest, and holds no more than that', async () => {
  const broadcast = new Broadcast<number>(3);
  const iterator = broadcast.iterate();
  for (let i = 0; i < 100; i++) broadcast.send(i);
  expect(await read(iterator, 3)).toEqual([97, 98, 99]);
});

test('the end comes after what was sent, also to who has left', async () => {
  const broadcast = new Broadcast<number>(3);
  const [stays, leaves] = [broadcast.iterate(), broadcast.iterate()];
  const waiting = leaves.next();
  await leaves.return?.();
  expect((await waiting).done).toBe(true);
  broadcast.send(1);
  broadcast.end();
  const values: number[] = [];
  for await (const value of stays) values.push(value);
  expect(values).toEqual([1]);
  expect((await leaves.next()).done).toBe(true);
  expect((await broadcast.iterate().next()).done).toBe(true);
});
