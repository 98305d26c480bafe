import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SCRATCH } from './scratch.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
export const DIGITS = fileURLToPath(new URL('../../examples/digits/', import.meta.url));

export type Ended = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Running = {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when the process has written `text` to stderr; rejects if it ends before. */
  says(text: string): Promise<void>;
  /** The first line of its log with an event, when it is there; rejects if it ends before. */
  logs(event: string): Promise<Readonly<Record<string, unknown>>>;
};

export type Environment = Readonly<Record<string, string>>;

/** Starts `legonet` as a process of its own, with no settings but these. */
export function startLegonet(
  args: readonly string[],
  environment: Environment,
  node: readonly string[] = [],
): Running {
  const { PATH = '', TMPDIR } = process.env;
  const child = spawn(process.execPath, [...node, MAIN, ...args], {
    // Any port: tests run side by side.
    env: {
      PATH,
      ...(TMPDIR !== undefined && { TMPDIR }),
      LEGONET_HTTP_PORT: '0',
      LEGONET_DATA_DIR: SCRATCH,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }));
  const find = async <T>(what: string, look: () => T | undefined): Promise<T> => {
    for (let done: Ended | null = null; ; ) {
      const found = look();
      if (found !== undefined) return found;
      if (done) throw new Error(`it ended with ${done.code} and never said "${what}": ${stderr}`);
      done = await Promise.race([ended, once(child.stderr, 'data').then(() => null)]);
    }
  };
  const says = async (text: string) => {
    await find(text, () => stderr.includes(text) || undefined);
  };
  const logs = async (event: string) => {
    const mark = `"event":"${event}"`;
    // A line without its end may not be whole.
    const lines = () => stderr.split('\n').slice(0, -1);
    return JSON.parse(await find(event, () => lines().find((line) => line.includes(mark))));
  };
  return { process: child, ended, says, logs };
}

export function legonet(args: readonly string[], environment: Environment): Promise<Ended> {
  return startLegonet(args, environment).ended;
}

/** The one document that `--json` prints. Throws if the command failed or printed anything else. */
export async function legonetJson(
  args: readonly string[],
  environment: Environment,
  code = 0,
): Promise<unknown> {
  const ended = await legonet([...args, '--json'], environment);
  if (ended.code !== code) {
    throw new Error(`legonet ${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`);
  }
  return JSON.parse(ended.stdout);
}
