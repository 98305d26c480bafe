import { type Logger, pino } from 'pino';
import type { Settings } from '../settings.js';
import { logError } from './log-error.js';

/**
 * Logs to stderr: for people on a terminal, as JSON lines elsewhere. Every line has an `event` of
 * docs/reference/log-events.md, and none has personal data.
 */
export async function createLogger({ logLevel }: Pick<Settings, 'logLevel'>): Promise<Logger> {
  const stream = process.stderr.isTTY
    ? (await import('pino-pretty')).PinoPretty({
        destination: 2,
        ignore: 'pid,hostname',
        translateTime: 'HH:MM:ss.l',
      })
    : process.stderr;
  return pino({ level: logLevel, base: null, serializers: { err: logError } }, stream);
}
