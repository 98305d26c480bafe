import type { Command } from 'commander';
import type { Context, ExitCode } from './context.js';

/** What a command does with its arguments and options. */
export type Action = (context: Context, ...rest: never[]) => Promise<ExitCode>;

/** Adds a command; its code is loaded when it runs. */
export type Add = (name: string, summary: string, load: () => Promise<{ run: Action }>) => Command;

export const JSON_FLAG = ['--json', 'print one JSON document'] as const;

/** Command lines to begin with. */
export function example(...lines: readonly string[]): string {
  const shown = lines.map((line) => `  ${line.includes('legonet') ? '' : 'legonet '}${line}`);
  return ['', 'For example:', ...shown].join('\n');
}
