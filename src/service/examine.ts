import { LegonetError } from '../errors.js';
import { plainKernel } from '../kernel/plain.js';
import { loadWasmKernel } from '../kernel/wasm.js';
import type { Database } from '../store/database.js';
import { loadModel } from '../store/model.js';
import { readStatus } from '../store/status.js';
import { loadServedModel } from './served-model.js';

/** One thing looked at; `remedy` says what to do about it. */
export type Finding = {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
};

/** Looks at everything that can be wrong without anybody having been told. */
export async function examine(database: Database, lag: bigint): Promise<Finding[]> {
  const status = await readStatus(database.pool);
  const running = status.roles.length > 0;
  const waiting = lag > 0n || status.deletionsWaiting > 0n || status.dirtyAdapters > 0n;
  return [
    await kernelFinding(),
    await modelFinding(database),
    {
      name: 'roles',
      ok: running || !waiting,
      detail: running
        ? `${status.roles.join(', ')} at work`
        : waiting
          ? `nothing is running, and ${lag} events and ${status.dirtyAdapters} adapters wait`
          : 'nothing is running, and nothing waits',
      remedy: 'Run `legonet start`, or `legonet start --once`.',
    },
    {
      name: 'deletions',
      ok: status.stopped.length === 0,
      detail:
        status.stopped.length === 0
          ? `${status.deletionsWaiting} on their way`
          : status.stopped
              .map(({ id, reason }) => `dead letter ${id} stops its partition: ${reason}`)
              .join('; '),
      remedy:
        'Find out what was to be deleted and ask for it again; then `legonet dead-letters --skip ID`.',
    },
    {
      name: 'erasure from the log',
      ok: status.erasuresWaiting === 0n || running,
      detail: `${status.erasuresWaiting} payloads of deleted samples still to be erased`,
      remedy: 'Run `legonet start`.',
    },
    {
      name: 'dead letters',
      ok: status.deadLetters === 0n,
      detail: `${status.deadLetters} events could not be applied`,
      remedy:
        'See `legonet dead-letters`; mend the cause, then `legonet dead-letters --redrive ID`.',
    },
  ];
}

/** The kernel that is shipped against its definition, on this very machine. */
async function kernelFinding(): Promise<Finding> {
  const name = 'arithmetic';
  try {
    const wasm = await loadWasmKernel();
    const [rows, columns] = [37, 19];
    const x = Int8Array.from({ length: rows * columns }, (_, i) => ((i * 7919) % 255) - 127);
    const gram = plainKernel.gram(x, rows, columns);
    const rhs = Float64Array.from({ length: columns }, (_, i) => i);
    const solve = (kernel: typeof wasm) =>
      Buffer.from(kernel.solve(Float64Array.from(gram), columns, rhs, 1).buffer);
    const ok =
      Buffer.from(wasm.gram(x, rows, columns).buffer).equals(Buffer.from(gram.buffer)) &&
      solve(wasm).equals(solve(plainKernel));
    const detail = ok ? 'WebAssembly and plain loops agree in every bit' : 'they do not agree';
    return { name, ok, detail, remedy: 'Do not use this machine for builds; please report it.' };
  } catch (error) {
    return { name, ok: false, detail: String(error), remedy: 'Run `npm run build`.' };
  }
}

async function modelFinding(database: Database): Promise<Finding> {
  const name = 'model';
  try {
    const model = await loadModel(database.pool);
    if (!model) {
      const remedy = 'Create one with `legonet init MODEL.json`.';
      return { name, ok: false, detail: 'there is none yet', remedy };
    }
    const served = await loadServedModel(database, model);
    const detail = served
      ? `version ${served.version}: every adapter's weights have the digest that it names`
      : 'no version is published yet';
    return { name, ok: true, detail };
  } catch (error) {
    const detail = error instanceof LegonetError ? error.message : String(error);
    const remedy =
      'Compare with `legonet rebuild --from-scratch`; restore a backup if they differ.';
    return { name, ok: false, detail, remedy };
  }
}
