import { readFileSync } from 'node:fs';

/** Ours, as package.json has it. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
