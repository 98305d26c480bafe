import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LegonetError } from '../errors.js';
import { type Outcome, unwrap } from '../outcome.js';
import type { Engine, EngineDescription } from './engine.js';

/**
 * What an engine is on this machine. A process of its own opens it: its memory goes with it, and a library that this
 * processor cannot run ends nobody else. Throws `engine_failed`.
 */
export async function describeApart(
  engine: Engine,
  signal?: AbortSignal,
): Promise<EngineDescription> {
  const child = fork(fileURLToPath(new URL('./describe-child.js', import.meta.url)), [engine], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    ...(signal && { signal }),
  });
  return unwrap(
    await new Promise<Outcome<EngineDescription>>((resolve, reject) => {
      let outcome: Outcome<EngineDescription> | undefined;
      child.once('message', (said) => {
        outcome = said as Outcome<EngineDescription>;
      });
      child.once('error', reject);
      child.once('close', (code, by) => {
        if (outcome) resolve(outcome);
        else reject(died(engine, by ?? `exit code ${code}`));
      });
    }),
  );
}

const died = (engine: Engine, how: string): LegonetError =>
  new LegonetError('engine_failed', `the ${engine} engine ends its process (${how})`, 'stop');
