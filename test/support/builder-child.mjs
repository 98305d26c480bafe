// Has the build role of a database until it is told to stop, and does to itself what its task says.
import { existsSync, writeFileSync } from 'node:fs';
import { pino } from 'pino';
import { EmbeddedLog } from '#src/log/embedded.js';
import { runRole } from '#src/service/roles.js';
import { openService } from '#src/service/service.js';
import { readSettings } from '#src/settings.js';
import { openDatabase } from '#src/store/database.js';

/** `acts`: what to do at which passing of which point, or (`total`) at which passing of any. */
const { url, acts } = JSON.parse(process.argv[2]);

const ACTS = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  /** Hangs, as long as nobody sends SIGCONT. */
  hang: () => process.kill(process.pid, 'SIGSTOP'),
  touch: (file) => writeFileSync(file, ''),
  /** Holds the whole main thread up: that is what makes an order certain. */
  wait: (file) => {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(file)) Atomics.wait(cell, 0, 0, 5);
  },
};

const counts = {};
let total = 0;
function reached(point) {
  counts[point] = (counts[point] ?? 0) + 1;
  total += 1;
  for (const act of acts) {
    const here = act.point === point && (act.occurrence ?? 1) === counts[point];
    if (here || act.total === total) ACTS[act.does](act.file);
  }
}

const settings = readSettings({
  DATABASE_URL: url,
  LEGONET_BUILD_DELAY_MS: '0',
  LEGONET_DATA_DIR: process.env.LEGONET_TEST_SCRATCH,
  // What trains softmax adapters in the thread of the tests.
  LEGONET_ENGINE: 'wasm',
});
const database = openDatabase(url);
const log = new EmbeddedLog(database);
const logger = pino({ level: 'info' });
const stopped = new AbortController();
process.on('SIGTERM', () => stopped.abort());

const service = { ...(await openService({ settings, database, log, logger })), reached };
try {
  await runRole(service, 'build', stopped.signal, (_, err) => {
    logger.error({ code: err.code, err }, 'role failed');
  });
} finally {
  await service.close();
  await log.close();
  await database.close();
}
