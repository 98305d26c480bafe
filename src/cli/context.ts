import type { Settings } from '../settings.js';
import { toJson } from '../store/json.js';

/** What every command gets, besides its own arguments. */
export type Context = {
  readonly settings: Settings;
  /** `--json`: one document on stdout, nothing else. */
  readonly json: boolean;
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Prints a result: as JSON if asked for, else as text for people. */
  print(value: unknown, text: () => string): void;
  /** Says something to people, on stderr. */
  say(text: string): void;
};

/** 0 done, 1 a check or operation failed. */
export type ExitCode = 0 | 1;

export function createContext(
  settings: Settings,
  options: { readonly json?: boolean },
  signal: AbortSignal,
): Context {
  const json = options.json ?? false;
  return {
    settings,
    json,
    signal,
    print: (value, text) => {
      process.stdout.write(`${json ? toJson(value, 2) : text()}\n`);
    },
    say: (text) => {
      process.stderr.write(`${text}\n`);
    },
  };
}
