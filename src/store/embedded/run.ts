import { type ExecFileException, execFile } from 'node:child_process';
import { tmpdir } from 'node:os';

/** Whom the server runs as. Undefined stands for ourselves. */
export type ServerUser = { readonly uid: number; readonly gid: number };

export type Outcome = { readonly ok: boolean; readonly output: string };

export type RunOptions = {
  readonly user: ServerUser | undefined;
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
};

/** Runs a program to its end; `output` is all that it wrote, or why it could not be run. */
export function run(
  program: string,
  args: readonly string[],
  { user, input, signal }: RunOptions,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, out: string, err: string) => {
      if (signal?.aborted) reject(signal.reason);
      else if (!error) resolve({ ok: true, output: out + err });
      else resolve({ ok: false, output: out + err || error.message });
    };
    const options = { ...spawnOptions(user), ...(signal && { signal }), maxBuffer: 1 << 24 };
    const child = execFile(program, args, options, done);
    // A program that ends early does not read its input; its exit status tells what happened.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/**
 * Nothing of our environment or working directory: PG* variables would change the settings, another
 * language the messages, and the server's user may not enter the directory we are in.
 */
export function spawnOptions(user: ServerUser | undefined) {
  const env = {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    TMPDIR: tmpdir(),
    LC_ALL: 'C',
    TZ: 'UTC',
    // Memory for values of a megabyte, as an adapter's members are, is not given back and taken again each time.
    MALLOC_MMAP_THRESHOLD_: String(1 << 25),
    MALLOC_TRIM_THRESHOLD_: String(1 << 26),
  };
  return { env, cwd: '/', ...user };
}
