import { z } from 'zod';
import { LegonetError } from '../errors.js';

/**
 * What trained, as it describes itself: engine, versions, processor, and a probe of how it rounds. Softmax adapters
 * are the same bits only where all of it is the same.
 */
export const backendSchema = z.record(z.string(), z.string().nullable());
export type Backend = Readonly<z.infer<typeof backendSchema>>;

/** For a person, in one line. */
export const describeBackend = (backend: Backend): string =>
  Object.entries(backend)
    .flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`]))
    .join(', ');

/** What differs, in words; empty if nothing does. */
export function differences(pinned: Backend, own: Backend): string {
  return [...new Set([...Object.keys(pinned), ...Object.keys(own)])]
    .filter((name) => pinned[name] !== own[name])
    .map((name) => `${name} ${own[name] ?? 'none'} instead of ${pinned[name] ?? 'none'}`)
    .join(', ');
}

/** What to do where the backend is not the pinned one. */
export const backendRemedy = (pinned: Backend): string =>
  `use LEGONET_ENGINE=${pinned.engine}, these versions and this kind of processor; or make the model anew in another database`;

/** Throws `engine_mismatch` (stop) unless this process trains on the backend that the model is pinned to. */
export function requireSame(pinned: Backend, own: Backend): void {
  const differ = differences(pinned, own);
  if (differ === '') return;
  throw new LegonetError(
    'engine_mismatch',
    `this process trains on another backend than the model (${differ}), and would give other bits: ${backendRemedy(pinned)}`,
    'stop',
  );
}
