import { setTimeout as sleep } from 'node:timers/promises';
import { leadOrHelp } from '../build/help.js';
import { LegonetError } from '../errors.js';
import { isRetryable } from '../store/database.js';
import { type Leadership, lead, type Role } from '../store/lock.js';
import type { Service } from './service.js';
import { WORK } from './work.js';

export type { Role } from '../store/lock.js';
export const ROLES = ['project', 'build', 'publish'] as const satisfies readonly Role[];
/** All that `start` runs: every process that has `serve` serves, without standing by. */
export const ALL_ROLES = [...ROLES, 'serve'] as const;

/** Told each failure of a role, before it is tried again. */
export type OnFailure = (role: Role, error: unknown) => void;

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

/**
 * Does a role's work until the signal aborts, one process at a time, others standing by (those that
 * build help meanwhile). A failure is reported and the work taken up again: from what is stored, so
 * nothing is lost or done twice.
 */
export async function runRole(
  service: Service,
  role: Role,
  signal: AbortSignal,
  onFailure: OnFailure,
): Promise<void> {
  let wait = FIRST_RETRY_MS;
  while (!signal.aborted) {
    try {
      // Where the log shares its partitions, projectors work side by side.
      const together = role === 'project' && service.log.shares;
      const leadership = await (role === 'build'
        ? leadBuild(service, signal)
        : lead(service.database.url, role, signal, together));
      if (!leadership) return;
      const started = performance.now();
      service.observe?.({ kind: 'role', role, up: true });
      try {
        await WORK[role](service, AbortSignal.any([signal, leadership.lost]));
      } finally {
        service.observe?.({ kind: 'role', role, up: false });
        await leadership.release().catch(() => {});
        if (performance.now() - started > LAST_RETRY_MS) wait = FIRST_RETRY_MS;
      }
    } catch (error) {
      if (signal.aborted && isRetryable(error)) return;
      service.observe?.({ kind: 'failed', role });
      onFailure(role, error);
      await sleep(wait, undefined, { signal }).catch(() => {});
      wait = Math.min(2 * wait, LAST_RETRY_MS);
    }
  }
}

function leadBuild(service: Service, signal: AbortSignal): Promise<Leadership | null> {
  const onHelped = (adapters: number) => {
    service.observe?.({ kind: 'progress', role: 'build' });
    service.logger.info(
      { event: 'build_helped', adapters },
      "helped with another process's version",
    );
  };
  return leadOrHelp({ ...service, onHelped }, signal);
}

/** Whether trying again, with nobody's help, can be expected to succeed. */
export const canRecover = (error: unknown): boolean =>
  isRetryable(error) && !(error instanceof LegonetError && error.retry === 'stop');
