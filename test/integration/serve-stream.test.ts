import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { versionPublished, versionRetired } from '#src/events/schemas.js';
import { readFeed } from '#src/store/feed.js';
import { deletion, ingests, openTestHttp, type TestHttp, token } from '../support/http.js';
import { tinyModel } from '../support/models.js';
import { readEvents, type ServerSentEvent } from '../support/sse.js';

const model = tinyModel();
const PATH = '/v1/versions/stream';

let http: TestHttp;
beforeEach(async () => {
  http = await openTestHttp(model, { heartbeatMs: 50 });
});
afterEach(() => http.close());

const stream = (lastEventId?: string): Promise<Response> =>
  http.ask(PATH, 'predict', {
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  });

/** Takes events, comments left out, until `enough` says so. */
async function take(answer: Response, enough: (taken: ServerSentEvent[]) => boolean) {
  const taken: ServerSentEvent[] = [];
  for await (const event of readEvents(answer)) {
    if (event.id !== undefined) taken.push(event);
    if (enough(taken)) break;
  }
  return taken;
}

type Row = { id: string; event: string; data: string };

/** What every subscriber must get, in this order. */
async function published(): Promise<Row[]> {
  const { rows } = await http.service.database.pool.query<{ id: bigint; value: Buffer }>(
    'SELECT id, value FROM outbox ORDER BY id',
  );
  return rows.map(({ id, value }) => {
    const data = value.toString('utf8');
    return { id: String(id), event: JSON.parse(data).type, data };
  });
}

/** For a second server on the database of the first. */
const shared = ({ service: { database } }: TestHttp) => ({ database });

/** Publishes versions one after another; each but the first retires those before it. */
async function publishVersions(count: number, name = 'v'): Promise<void> {
  for (let i = 0; i < count; i++) {
    await http.append([
      ...ingests(model, `${name}${i}-`, 3),
      ...(i > 0 ? [deletion(`${name}${i - 1}-0`)] : []),
    ]);
    await http.catchUp();
  }
}

test('a stream has published and retired versions, as CloudEvents, in order', async () => {
  await publishVersions(3);
  const expected = await published();
  const events = await take(await stream('0'), ({ length }) => length === expected.length);
  expect(events).toEqual(expected);
  expect(new Set(events.map(({ event }) => event))).toEqual(
    new Set(['legonet.model.version.published.v1', 'legonet.model.version.retired.v1']),
  );
  for (const { event, data = '' } of events) {
    const schema = event?.includes('published') ? versionPublished : versionRetired;
    expect(schema.safeParse(JSON.parse(data).data).success).toBe(true);
  }
});

test('a subscriber without a position begins with the version in service', async () => {
  await publishVersions(3);
  const all = await published();
  const newest = all.findLastIndex(({ event }) => event.includes('published'));
  const expected = all.slice(newest);
  expect(await take(await stream(), ({ length }) => length === expected.length)).toEqual(expected);
});

test('resuming after Last-Event-ID loses and doubles nothing while versions are published', async () => {
  const publishing = publishVersions(12);
  const done = { yet: false };
  publishing.then(() => {
    done.yet = true;
  });

  const follow = async (eventsToConnection: number): Promise<ServerSentEvent[]> => {
    const all: ServerSentEvent[] = [];
    for (;;) {
      const from = all.at(-1)?.id ?? '0';
      const complete = async () => done.yet && all.length >= (await published()).length;
      if (await complete()) return all;
      for await (const event of readEvents(await stream(from))) {
        if (event.id !== undefined && all.push(event) % eventsToConnection === 0) break;
        if (event.comment !== undefined && (await complete())) break;
      }
    }
  };
  const followers = await Promise.all([1, 2, 3, 1000, 1000].map(follow));
  await publishing;
  const expected = await published();
  expect(expected.length).toBeGreaterThan(20);
  for (const events of followers) expect(events).toEqual(expected);
});

test('subscribers that stay hear of every event when it is announced, not at the next look', async () => {
  const patient = await openTestHttp(model, { ...shared(http), heartbeatMs: 3_600_000 });
  try {
    const ahead = 4;
    const following = Array.from({ length: ahead }, async () => {
      const answer = await patient.ask(PATH, 'all', { headers: { 'last-event-id': '0' } });
      return take(answer, ({ length }) => length === 2 * ahead - 1);
    });
    await publishVersions(ahead);
    const expected = (await published()).slice(0, 2 * ahead - 1);
    for (const events of await Promise.all(following)) expect(events).toEqual(expected);
  } finally {
    await patient.close();
  }
});

test('an event that is not announced yet holds back those after it', async () => {
  await publishVersions(3);
  const all = await published();
  const { pool } = http.service.database;
  await pool.query('UPDATE outbox SET published_at = NULL WHERE id = $1', [all[1]?.id]);
  const reading = take(await stream('0'), ({ length }) => length === all.length);
  const first = readEvents(await stream('0'));
  const seen: ServerSentEvent[] = [];
  for await (const event of first) {
    seen.push(event);
    if (event.comment !== undefined) break;
  }
  expect(seen.filter(({ id }) => id !== undefined)).toEqual(all.slice(0, 1));
  await pool.query(`WITH now AS (UPDATE outbox SET published_at = now() WHERE published_at IS NULL)
                    SELECT pg_notify('legonet_published', '')`);
  expect(await reading).toEqual(all);
});

test('an idle stream shows that it lives', async () => {
  for await (const { comment } of readEvents(await stream())) if (comment !== undefined) return;
  expect.unreachable();
});

test('a reader that does not read costs the others nothing, and gets all when it reads', async () => {
  const { hostname, port } = new URL(http.server.url);
  const slow = connect(Number(port), hostname);
  slow.write(
    `GET ${PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token('all')}\r\nlast-event-id: 0\r\n\r\n`,
  );
  slow.pause();
  await publishVersions(4);
  const expected = await published();
  const fast = await take(await stream('0'), ({ length }) => length === expected.length);
  expect(fast).toEqual(expected);
  let text = '';
  slow.setEncoding('utf8').resume();
  for await (const chunk of slow) {
    text += chunk;
    if (expected.every(({ id }) => text.includes(`id: ${id}\n`))) break;
  }
  expect(text.match(/^id: \d+$/gm)).toEqual(expected.map(({ id }) => `id: ${id}`));
});

test('a reader that never reads is cut off', async () => {
  await publishVersions(1);
  const { pool } = http.service.database;
  await pool.query(
    `INSERT INTO outbox (event_id, version, kind, key, value, published_at)
     SELECT n, 1, 'retired', 'k', convert_to(repeat('x', 1000000), 'UTF8'), now()
     FROM generate_series(1, 40) AS n`,
  );
  const impatient = await openTestHttp(model, { ...shared(http), heartbeatMs: 50, stillMs: 500 });
  try {
    const { hostname, port } = new URL(impatient.server.url);
    const stuck = connect(Number(port), hostname);
    stuck.on('error', () => {});
    stuck.write(
      `GET ${PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token('all')}\r\nlast-event-id: 0\r\n\r\n`,
    );
    stuck.pause();
    const streams = (count: number) => impatient.server.streams() === count;
    while (!streams(1)) await new Promise((resolve) => setTimeout(resolve, 5));
    while (!streams(0)) await new Promise((resolve) => setTimeout(resolve, 20));
    stuck.destroy();
  } finally {
    await impatient.close();
  }
});

test('events are read a mebibyte at a time, or one', async () => {
  await publishVersions(1);
  const { pool } = http.service.database;
  await pool.query(
    `INSERT INTO outbox (event_id, version, kind, key, value, published_at)
     SELECT n, 1, 'retired', 'k', convert_to(repeat('x', n * 250000), 'UTF8'), now()
     FROM generate_series(1, 5) AS n`,
  );
  const limit = { events: 16, bytes: 1024 * 1024 };
  const sizes: number[] = [];
  for (let after = 0n; sizes.length < 9; ) {
    const events = await readFeed(pool, after, limit);
    if (events.length === 0) break;
    sizes.push(events.length);
    after = events.at(-1)?.id ?? after;
  }
  // The version's own event with those of 250 and 500 kB; then each alone.
  expect(sizes).toEqual([3, 1, 1, 1]);
});

test('a position that is none is refused, and so is one of another database', async () => {
  await publishVersions(1);
  const code = async (id: string) => {
    const answer = await stream(id);
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };
  expect(await code('x')).toEqual([400, 'invalid_request']);
  expect(await code('-1')).toEqual([400, 'invalid_request']);
  expect(await code('99')).toEqual([409, 'unknown_position']);
});

test('a subscriber that leaves is forgotten, and a request for headers alone opens no stream', async () => {
  const reading = readEvents(await stream());
  await reading.next();
  expect(http.server.streams()).toBe(1);
  const head = await http.ask(PATH, 'all', { method: 'HEAD' });
  expect(head.headers.get('content-type')).toBe('text/event-stream');
  expect(http.server.streams()).toBe(1);
  await reading.return();
  while (http.server.streams() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a stop ends every open stream in order, and closes the server', async () => {
  const endings = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const events = readEvents(await stream());
      await events.next();
      const rest = (async () => {
        for await (const _ of events);
        return 'ended';
      })();
      // In an object: a promise alone would be waited for here.
      return { rest };
    }),
  );
  expect(http.server.streams()).toBe(5);
  await http.server.close();
  expect(await Promise.all(endings.map(({ rest }) => rest))).toEqual(new Array(5).fill('ended'));
  expect(http.server.streams()).toBe(0);
  await expect(http.ask('/healthz')).rejects.toThrow();
});

test('a request that is under way when the server stops is answered', async () => {
  let answer = () => {};
  let asked = () => {};
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const slow = await openTestHttp(model, {
    readiness: () => {
      asked();
      return new Promise((resolve) => {
        answer = () => resolve({ ready: true, reasons: [], warnings: [] });
      });
    },
  });
  const asking = slow.ask('/readyz', null);
  await arrived;
  const closing = slow.close();
  answer();
  expect((await asking).status).toBe(200);
  await closing;
});
