import type { ModelConfiguration } from './configuration.js';
import { murmurHash3 } from './murmur-hash.js';
import { type Units, unitsOf } from './text-units.js';

export type HashingText = Extract<ModelConfiguration['encoder'], { kind: 'hashing-text' }>;

/**
 * A text's n-grams, counted at their hashes: numbers [dimension]. As scikit-learn's HashingVectorizer, after
 * the text is put into Unicode's form NFC. Counts are whole numbers, and `l2` divides each by the root of the
 * sum of their squares, which is one too: the same bits on every machine.
 *
 * Weinberger et al., Feature Hashing for Large Scale Multitask Learning (2009).
 */
export function hashText(options: HashingText, text: string): Float64Array {
  const { analyzer, dimension, lowercase = true, norm = 'l2' } = options;
  const composed = text.normalize('NFC');
  const counts = new Float64Array(dimension);
  for (const units of unitsOf(analyzer, lowercase ? composed.toLowerCase() : composed)) {
    count(options, units, counts);
  }
  return norm === 'l2' ? normalised(counts) : counts;
}

function count(options: HashingText, { bytes, starts, ends }: Units, counts: Float64Array): void {
  const { ngrams, alternateSign = true, analyzer } = options;
  const [least, most] = ngrams ?? [1, 1];
  const units = starts.length;
  for (let n = least; n <= most; n++) {
    // A word with fewer characters is one gram, once.
    if (n > units && analyzer !== 'char_wb') return;
    for (let i = 0; i === 0 || i + n <= units; i++) {
      const hash = murmurHash3(bytes, starts[i] ?? 0, ends[Math.min(i + n, units) - 1] ?? 0);
      const index = Math.abs(hash) % counts.length;
      counts[index] = (counts[index] ?? 0) + (alternateSign && hash < 0 ? -1 : 1);
    }
    if (n >= units) return;
  }
}

function normalised(counts: Float64Array): Float64Array {
  const squares = counts.reduce((sum, value) => sum + value * value, 0);
  if (squares === 0) return counts;
  const length = Math.sqrt(squares);
  return counts.map((value) => value / length);
}
