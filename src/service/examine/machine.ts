import { readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { plainKernel } from '../../kernel/plain.js';
import { loadWasmKernel } from '../../kernel/wasm.js';
import type { Finding } from '../../log/finding.js';
import type { Settings } from '../../settings.js';

/** Less than this on the data directory's disk is trouble: PostgreSQL's own log alone may take as much. */
const LEAST_FREE_BYTES = 1024 ** 3;

/** Permission bits of others, and those with which others or the group write. */
const OTHERS = 0o007;
const FOREIGN_WRITE = 0o022;

/** What is to be kept from others: a file of the data directory, or one that NAME_FILE names. */
type Secret = { readonly name: string; readonly path: string };

/** The machine that this runs on: arithmetic, disk, permissions. */
export async function examineMachine(
  settings: Settings,
  environment: NodeJS.ProcessEnv,
): Promise<Finding[]> {
  return [
    await kernelFinding(),
    diskFinding(settings.dataDir),
    directoryFinding(settings.dataDir),
    ...secretsOf(settings, environment).flatMap(secretFinding),
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

/** Free space where the data directory is, or will be. */
export function diskFinding(dataDir: string, least = LEAST_FREE_BYTES): Finding {
  const name = 'disk';
  let folder = dataDir;
  while (!look(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    const { bavail, bsize } = statfsSync(folder, { bigint: true });
    const free = bavail * bsize;
    return {
      name,
      ok: free >= BigInt(least),
      detail: `${free / 1_000_000n} MB free at ${folder}; ${Math.round(least / 1e6)} MB are wanted`,
      remedy: 'Free space there, or move the data directory: LEGONET_DATA_DIR.',
    };
  } catch (error) {
    return { name, ok: false, detail: String(error), remedy: 'Check LEGONET_DATA_DIR.' };
  }
}

/** Whoever may write into the data directory can put files of their own there. */
export function directoryFinding(dataDir: string): Finding {
  const name = 'data directory';
  const found = look(dataDir);
  if (!found) return { name, ok: true, detail: `${dataDir} is not there, and not needed so far` };
  const ok = found.isDirectory() && (found.mode & FOREIGN_WRITE) === 0;
  const detail = ok ? `only its owner writes in ${dataDir}` : `others may write in ${dataDir}`;
  return { name, ok, detail, remedy: `chmod go-w ${dataDir}` };
}

/** A certificate is shown to everybody anyway. */
const SECRET_FILE = /^(?:DATABASE|KAFKA|LEGONET)_[A-Z_]+(?<!_CA|_CERT)_FILE$/;

/** The key of each audit log that has one of its own. */
function signingKeys(directory: string): Secret[] {
  const logs = look(directory)?.isDirectory() ? readdirSync(directory) : [];
  return logs.map((log) => ({ name: 'signing key', path: join(directory, log, 'signing-key') }));
}

export function secretsOf({ dataDir, audit }: Settings, environment: NodeJS.ProcessEnv): Secret[] {
  const named = Object.entries(environment).flatMap(([name, path]) =>
    SECRET_FILE.test(name) && path ? [{ name, path }] : [],
  );
  const own = [
    { name: 'HTTP token', path: join(dataDir, 'http-token') },
    { name: 'password of the embedded server', path: join(dataDir, 'postgres', 'password') },
    ...signingKeys(audit.directory),
  ];
  return [...named, ...own.filter(({ path }) => look(path))];
}

function secretFinding({ name, path }: Secret): Finding[] {
  const found = look(path);
  const shown = `secret ${name}`;
  if (!found) {
    const remedy = 'Put the file there, or correct the setting.';
    return [{ name: shown, ok: false, detail: `${path} is not there`, remedy }];
  }
  // Windows has no such bits.
  if (process.platform === 'win32') return [];
  const ok = (found.mode & OTHERS) === 0;
  const detail = ok ? `${path} is kept from others` : `everybody may read ${path}`;
  return [{ name: shown, ok, detail, remedy: `chmod o= ${path}` }];
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // Below a file, or where we may not look.
    return undefined;
  }
}
