import { setTimeout as sleep } from 'node:timers/promises';
import { requestDeletions } from '#src/service/request-deletions.js';
import { Alarm, listen } from '#src/store/listen.js';

const POLL_MS = 200;

/**
 * Times deletions from the request to the published version without the sample, in seconds. Each is asked
 * for when all is `settled`: the one before is erased from the log too and its sums are kept, so that it has the
 * machine for itself.
 */
export function timeDeletions(service, signal) {
  const { url, pool } = service.database;
  const alarm = new Alarm();
  const listening = listen(url, ['legonet_published'], alarm.wake, signal);
  const settled = async () => {
    while (await isErasing(pool)) await sleep(5);
    await service.compute.kept();
  };
  const time = async (requestId, target) => {
    await settled();
    const start = performance.now();
    await requestDeletions(service, { requestId, kind: 'sample', targets: [target] });
    while (!(await isPublished(pool, requestId))) await alarm.wait(POLL_MS, signal);
    return (performance.now() - start) / 1000;
  };
  return { time, settled, listening };
}

async function isPublished(pool, requestId) {
  const { rowCount } = await pool.query(
    `SELECT FROM deletions JOIN versions USING (version)
     WHERE request_id = $1 AND published_at IS NOT NULL`,
    [requestId],
  );
  return rowCount > 0;
}

async function isErasing(pool) {
  const { rowCount } = await pool.query(
    `SELECT FROM erasures WHERE declared_position IS NULL
     UNION ALL SELECT FROM tlog_head WHERE size > signed_size
     UNION ALL SELECT FROM tlog_batches WHERE first_index IS NULL
     UNION ALL SELECT FROM evidence JOIN tombstones USING (sample_id)
       WHERE erasure IS NULL AND applied_in IS NOT NULL AND erased_at IS NOT NULL LIMIT 1`,
  );
  return rowCount > 0;
}
