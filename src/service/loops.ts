import type { Database } from '../store/database.js';
import { Alarm, type Channel, listen } from '../store/listen.js';

/** Runs loops side by side; where one fails, the others are ended, and the failure is thrown. */
export async function together(
  signal: AbortSignal,
  loops: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const ends = loops.map((loop) =>
    loop(either).catch((error) => {
      failed.abort();
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(ends);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
}

/** Calls `work` at each notification, and after as many milliseconds as it returned. */
export async function whenever(
  database: Database,
  channel: Channel,
  signal: AbortSignal,
  work: () => Promise<number>,
): Promise<void> {
  const alarm = new Alarm();
  const ended = new AbortController();
  const listening = listen(
    database.url,
    [channel],
    alarm.wake,
    AbortSignal.any([signal, ended.signal]),
  );
  try {
    while (!signal.aborted) await alarm.wait(await work(), signal);
  } finally {
    ended.abort();
    await listening;
  }
}
