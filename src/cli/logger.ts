import { type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { Settings } from '../settings.js';

/** Logs to stderr: for people on a terminal, as JSON lines elsewhere. */
export function createLogger({ logLevel }: Pick<Settings, 'logLevel'>): Logger {
  const pretty = process.stderr.isTTY;
  const stream = pretty
    ? PinoPretty({ destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })
    : process.stderr;
  return pino({ level: logLevel, base: null }, stream);
}
