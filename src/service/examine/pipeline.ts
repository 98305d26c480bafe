import { LegonetError } from '../../errors.js';
import type { Finding } from '../../log/finding.js';
import type { Database } from '../../store/database.js';
import type { Role } from '../../store/lock.js';
import { loadModel } from '../../store/model.js';
import { loadServedModel } from '../../store/served-model.js';
import {
  type ErasureStatus,
  readErasures,
  readStatus,
  readWaiting,
  type Status,
  type Waiting,
} from '../../store/status.js';
import { duration } from '../duration.js';

/** After this long, what takes seconds is stuck. */
const STUCK_MS = 5 * 60_000;

/** The way from events to versions. `lag` is null where the log could not be asked. */
export async function examinePipeline(
  database: Database,
  lag: bigint | null,
  erasureDeadlineMs: number,
): Promise<Finding[]> {
  const status = await readStatus(database.pool);
  const erasures = await readErasures(database.pool, erasureDeadlineMs);
  const waiting = await readWaiting(database.pool);
  return [
    await modelFinding(database),
    rolesFinding(status, { lag: lag ?? 0n, erasures, waiting }),
    deletionsFinding(status, waiting),
    announcementsFinding(waiting),
    erasureFinding(status, erasures, erasureDeadlineMs),
    {
      name: 'dead letters',
      ok: status.deadLetters === 0n,
      detail: `${status.deadLetters} events could not be applied`,
      remedy:
        'See `legonet dead-letters`; mend the cause, then `legonet dead-letters --redrive ID`.',
    },
  ];
}

async function modelFinding(database: Database): Promise<Finding> {
  const name = 'model';
  try {
    const model = await loadModel(database.pool);
    if (!model) {
      const remedy = 'Create one with `legonet init MODEL.json`.';
      return { name, ok: false, detail: 'there is none yet', remedy };
    }
    const served = await loadServedModel(database, model);
    const detail = served
      ? `version ${served.version}: every adapter's weights have the digest that it names`
      : 'no version is published yet';
    return { name, ok: true, detail };
  } catch (error) {
    const detail = error instanceof LegonetError ? error.message : String(error);
    const remedy =
      'Compare with `legonet rebuild --from-scratch`; restore a backup if they differ.';
    return { name, ok: false, detail, remedy };
  }
}

type Work = {
  readonly lag: bigint;
  readonly erasures: ErasureStatus;
  readonly waiting: Waiting;
};

/** What waits for a role that no process has is never done. */
function rolesFinding(status: Status, { lag, erasures, waiting }: Work): Finding {
  const work: readonly (readonly [Role, boolean, string])[] = [
    ['project', lag > 0n, `${lag} events`],
    [
      'build',
      status.dirtyAdapters > 0n || status.unplaced > 0n,
      `${status.dirtyAdapters} adapters${status.unplaced > 0n ? ` and ${status.unplaced} samples to be placed` : ''}`,
    ],
    [
      'publish',
      waiting.announcementMs !== null || erasures.erasuresWaiting > 0n,
      `${erasures.erasuresWaiting} erasures from the log, and what is to be announced`,
    ],
  ];
  const idle = work.filter(([role, waits]) => waits && !status.roles.includes(role));
  const running =
    status.roles.length > 0 ? `${status.roles.join(', ')} at work` : 'nothing is running';
  return {
    name: 'roles',
    ok: idle.length === 0,
    detail:
      idle.length === 0
        ? `${running}, and nothing waits for a role that nobody has`
        : `${running}, and this waits: ${idle.map(([role, , what]) => `${what} (${role})`).join('; ')}`,
    remedy: 'Run `legonet start`, or `legonet start --once`.',
  };
}

function deletionsFinding({ stopped, deletionsWaiting }: Status, { deletionMs }: Waiting): Finding {
  const name = 'deletions';
  if (stopped.length > 0) {
    const detail = stopped
      .map(({ id, reason }) => `dead letter ${id} stops its partition: ${reason}`)
      .join('; ');
    const remedy =
      'Find out what was to be deleted and ask for it again; then `legonet dead-letters --skip ID`.';
    return { name, ok: false, detail, remedy };
  }
  const since = deletionMs === null ? '' : `, the first for ${duration(deletionMs)}`;
  return {
    name,
    ok: deletionMs === null || deletionMs < STUCK_MS,
    detail: `${deletionsWaiting} wait for a version without their samples${since}`,
    remedy: 'See why no version is built: `role_failed` with role `build` in the log of `start`.',
  };
}

function announcementsFinding({ announcementMs }: Waiting): Finding {
  return {
    name: 'announcements',
    ok: announcementMs === null || announcementMs < STUCK_MS,
    detail:
      announcementMs === null
        ? 'every version is announced'
        : `a version waits for ${duration(announcementMs)} to be announced`,
    remedy: 'See why: `role_failed` with role `publish` in the log of `start`.',
  };
}

function erasureFinding(
  { roles }: Status,
  { erasuresWaiting, erasuresOverdue, oldestErasureMs }: ErasureStatus,
  deadlineMs: number,
): Finding {
  const name = 'erasure from the log';
  if (oldestErasureMs === null) return { name, ok: true, detail: 'nothing waits for it' };
  const overdue = erasuresOverdue > 0n;
  const running = roles.includes('publish');
  return {
    name,
    ok: running && !overdue,
    detail:
      `${erasuresWaiting} payloads of deleted samples or raw inputs wait, the first for ${duration(oldestErasureMs)}; ` +
      `${erasuresOverdue} beyond the deadline of ${duration(deadlineMs)}`,
    remedy: running
      ? 'See docs/operations.md, "An erasure is overdue".'
      : 'Run `legonet start`: its role `publish` erases.',
  };
}
