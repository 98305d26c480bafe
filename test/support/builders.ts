import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./builder-child.mjs', import.meta.url));

/** See builder-child.mjs. */
export type Act = (
  | { readonly point: string; readonly occurrence?: number }
  | { readonly total: number }
) &
  ({ readonly does: 'kill' | 'hang' } | { readonly does: 'touch' | 'wait'; readonly file: string });

/** A line of a process's log. */
export type Line = Readonly<Record<string, unknown>> & { readonly msg: string };

/** A process with the build role. */
export type Builder = {
  readonly child: ChildProcess;
  readonly lines: readonly Line[];
  /** The signal that ended it, or null; throws if it failed. */
  readonly ended: Promise<NodeJS.Signals | null>;
};

const running = new Set<ChildProcess>();

export function startBuilder(url: string, acts: readonly Act[] = []): Builder {
  const child = spawn(process.execPath, [CHILD, JSON.stringify({ url, acts })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const lines: Line[] = [];
  let rest = '';
  child.stdout.on('data', (data) => {
    const parts = `${rest}${data}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((part) => JSON.parse(part)));
  });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    if (code !== 0 && signal === null) throw new Error(`a builder failed: ${stderr}`);
    return signal as NodeJS.Signals | null;
  });
  // Whoever wants to know awaits it.
  ended.catch(() => {});
  return { child, lines, ended };
}

/** Ends all that are left. */
export async function killBuilders(): Promise<void> {
  const ends = [...running].map((child) => once(child, 'close'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(ends);
}

export async function until(reached: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await reached())) await sleep(10);
}

export const exists = (file: string) => until(() => existsSync(file));
