import { constants } from 'node:os';

/**
 * Aborts at the first SIGINT or SIGTERM, and when nobody reads stdout any more (`legonet ... | head`);
 * a second signal ends the process at once.
 */
export function stopSignal(say: (text: string) => void): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      say('stopping; once more to stop at once');
      controller.abort();
    });
  }
  process.stdout.on('error', () => controller.abort());
  return controller.signal;
}
