import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));

/** The points that the code names: one that is added is tested without anybody's doing. */
export const points = sources(SOURCES).flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/\breached\('([^']+)'\)/g)].map(([, name]) => `${name}`),
);

function sources(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`);
}

/** Those that are passed only where several processes build together. */
export const isShared = (point: string): boolean => /^(share|help)\./.test(point);

/** Those that are passed only where keys are samples. */
export const isPlacing = (point: string): boolean => point.startsWith('place.');
