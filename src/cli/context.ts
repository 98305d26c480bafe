import type { Settings } from '../settings.js';

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

/** Bigints as numbers where they are exact, else as decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, item) =>
      typeof item === 'bigint'
        ? Number.isSafeInteger(Number(item))
          ? Number(item)
          : `${item}`
        : item,
    2,
  );
}

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
      process.stdout.write(`${json ? toJson(value) : text()}\n`);
    },
    say: (text) => {
      process.stderr.write(`${text}\n`);
    },
  };
}
