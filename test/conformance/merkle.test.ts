import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fromBase64, fromHex, toHex, utf8 } from '#src/audit/bytes.js';
import { leafHash, nodeHash } from '#src/audit/hash.js';
import { rootOf, verifyConsistency, verifyInclusion } from '#src/audit/log/merkle.js';
import { vectorsOrSkip } from '../support/vectors.js';

/** Probes of transparency-dev/merkle. */
const probes = (directory: string, kind: string) => {
  const root = join(directory, 'transparency-dev-merkle/testdata', kind);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, ...JSON.parse(readFileSync(join(root, name), 'utf8')) }));
};

const hashes = (proof: readonly string[] | null) => (proof ?? []).map(fromBase64);

vectorsOrSkip('proofs of transparency-dev/merkle', (directory) => {
  const inclusion = probes(directory, 'inclusion');
  const consistency = probes(directory, 'consistency');

  test('are all there', () => {
    expect([inclusion.length, consistency.length]).toEqual([98, 98]);
    expect(inclusion.filter(({ wantErr }) => !wantErr).length).toBeGreaterThan(0);
    expect(consistency.filter(({ wantErr }) => !wantErr).length).toBeGreaterThan(0);
  });

  test.each(inclusion)(
    'inclusion $name',
    ({ leafIdx, treeSize, root, leafHash, proof, wantErr }) => {
      const verify = () =>
        verifyInclusion({
          index: leafIdx,
          size: treeSize,
          leaf: fromBase64(leafHash),
          proof: hashes(proof),
          root: fromBase64(root),
        });
      if (wantErr) expect(verify).toThrow(expect.objectContaining({ code: 'invalid_proof' }));
      else expect(verify).not.toThrow();
    },
  );

  test.each(consistency)('consistency $name', ({ size1, root1, size2, root2, proof, wantErr }) => {
    const verify = () =>
      verifyConsistency({
        size1,
        root1: fromBase64(root1),
        size2,
        root2: fromBase64(root2),
        proof: hashes(proof),
      });
    if (wantErr) expect(verify).toThrow(expect.objectContaining({ code: 'invalid_proof' }));
    else expect(verify).not.toThrow();
  });
});

vectorsOrSkip('hashes of RFC 6962', (directory) => {
  const vector = JSON.parse(readFileSync(join(directory, 'inline/rfc6962-hash.json'), 'utf8'));

  test('of nothing, of leaves and of nodes are those of transparency-dev/merkle', () => {
    expect(toHex(rootOf([]))).toBe(vector.emptyRoot);
    expect(toHex(leafHash(fromHex('')))).toBe(vector.emptyLeaf);
    expect(toHex(leafHash(utf8(vector.leaf.data)))).toBe(vector.leaf.hash);
    expect(toHex(nodeHash(utf8(vector.node.l), utf8(vector.node.r)))).toBe(vector.node.hash);
  });
});
