import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fetchOnce } from './fetched.js';

/*
 * confluent-kafka, which is librdkafka, from PyPI: a Kafka client with not a line of ours or of kafkajs's.
 */

const run = promisify(execFile);
const CLIENT = 'confluent-kafka==2.16.1';
/** Its wheels: for which interpreter and which machine. */
const PLATFORM =
  'import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())';

/**
 * Why tests with Python are skipped here; undefined if they are not. In CI nothing is skipped: there it
 * throws.
 */
export async function pythonMissing(): Promise<string | undefined> {
  try {
    await run('python3', ['-m', 'pip', '--version']);
    return undefined;
  } catch (error) {
    const why = `python3 -m pip does not run: ${String(error).split('\n')[0]}`;
    const reason = `no producer outside Node for tests: ${why}; install Python 3 and pip`;
    if (process.env.CI === 'true') throw new Error(reason);
    console.warn(`SKIPPED: ${reason}`);
    return reason;
  }
}

/** The directory with the client, fetched by pip the first time: ready-made, nothing is compiled. */
async function fetchClient(): Promise<string> {
  const { stdout } = await run('python3', ['-c', PLATFORM]);
  const name = [CLIENT.replace('==', '-'), ...stdout.trim().split(' ')].join('-');
  return fetchOnce('python', name, (directory) => {
    const options = ['--quiet', '--no-input', '--only-binary', ':all:', '--target', directory];
    const quiet = { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_ROOT_USER_ACTION: 'ignore' };
    const env = { ...process.env, ...quiet };
    return run('python3', ['-m', 'pip', 'install', ...options, CLIENT], { env });
  });
}

/** Runs a program of Python's that may import confluent_kafka; what it wrote to stdout. */
export async function runPython(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, ...environment, PYTHONPATH: await fetchClient() };
  const { stdout } = await run('python3', [...args], { env, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
