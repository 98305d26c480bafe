// Catches up with the log of a database, and ends itself the hard way at the point it is told.
import { pino } from 'pino';
import { EmbeddedLog } from '#src/log/embedded.js';
import { catchUp, waitUntil } from '#src/service/catch-up.js';
import { canRecover, ROLES, runRole } from '#src/service/roles.js';
import { openService } from '#src/service/service.js';
import { readSettings } from '#src/settings.js';
import { openDatabase } from '#src/store/database.js';

/** `fences`: stop and build before each of these positions. `together`: all roles at once instead. */
const { url, fences, together, kill } = JSON.parse(process.argv[2]);
/** Records to a batch: few, so that there are many batches to be killed in. */
const MAX_RECORDS = 7;

const counts = {};
let total = 0;
function reached(point) {
  counts[point] = (counts[point] ?? 0) + 1;
  total += 1;
  const here = kill?.point === point && kill.occurrence === counts[point];
  if (here || kill?.total === total) process.kill(process.pid, 'SIGKILL');
}

const settings = readSettings({
  DATABASE_URL: url,
  LEGONET_BUILD_DELAY_MS: '0',
  LEGONET_DATA_DIR: process.env.LEGONET_TEST_SCRATCH,
});
const database = openDatabase(url);
const log = new EmbeddedLog(database);
const logger = pino({ level: 'silent' });
const service = { ...(await openService({ settings, database, log, logger })), reached };
const never = new AbortController().signal;

try {
  if (together) await allTogether();
  else {
    for (const fence of fences) {
      await catchUp({ ...service, log: upTo(fence === null ? null : BigInt(fence)) }, never);
    }
  }
} finally {
  await service.close();
  await log.close();
  await database.close();
}
process.stdout.write(JSON.stringify(counts));

/** The log as it was when it ended at a position. */
function upTo(fence) {
  const before = (position) => fence === null || position < fence;
  return {
    append: (...args) => log.append(...args),
    // So that samples are written again, too.
    compacts: true,
    shares: log.shares,
    erase: (...args) => log.erase(...args),
    ends: async (topic) => {
      const ends = await log.ends(topic);
      return new Map([...ends].map(([partition, end]) => [partition, before(end) ? end : fence]));
    },
    consume: (topic, consumption) =>
      log.consume(topic, {
        ...consumption,
        maxRecords: MAX_RECORDS,
        handle: async ({ partition, records }) => {
          const some = records.filter(({ position }) => before(position));
          const next = (some.at(-1)?.position ?? -1n) + 1n;
          if (some.length > 0) await consumption.handle({ partition, records: some, next });
        },
      }),
  };
}

async function allTogether() {
  const ended = new AbortController();
  const failures = [];
  const roles = ROLES.map((role) =>
    runRole({ ...service, log: upTo(null) }, role, ended.signal, (_, error) => {
      if (!canRecover(error)) failures.push(error);
    }),
  );
  const done = async () => failures.length > 0 || (await nothingWaits());
  await waitUntil(database, done, ended.signal);
  ended.abort();
  await Promise.all(roles);
  if (failures.length > 0) throw failures[0];
}

async function nothingWaits() {
  const ends = await log.ends(settings.topics.sampleEvents);
  const { rows } = await database.pool.query(
    `SELECT coalesce((SELECT position FROM offsets WHERE partition = 0), 0) >= $1
            AND NOT EXISTS (SELECT FROM erasures) AND NOT EXISTS (SELECT FROM dirty_adapters)
            AND NOT EXISTS (SELECT FROM deletions WHERE version IS NULL)
            AND NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL) AS done`,
    [ends.get(0)],
  );
  return rows[0].done;
}
