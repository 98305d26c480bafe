import { describe, expect, test } from 'vitest';
import { merkleRoot, modelDigest } from '#src/model/digest.js';

/** The leaves that the Certificate Transparency reference code tests its trees with. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'));

describe('the Merkle root (RFC 6962)', () => {
  test.each([
    [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
    [2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
    [3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
    [4, 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'],
    [5, '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
    [6, '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'],
    [7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
    [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
  ])('of the first %i reference leaves is the published one', (size, root) => {
    expect(merkleRoot(LEAVES.slice(0, size)).toString('hex')).toBe(root);
  });

  test('of one leaf is its leaf hash', () => {
    // transparency-dev/merkle, rfc6962_test.go.
    expect(merkleRoot([Buffer.from('L123456')]).toString('hex')).toBe(
      '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
    );
  });
});

describe('the model digest', () => {
  const [config, a, b] = ['11', '22', '33'].map((byte) => byte.repeat(32)) as [
    string,
    string,
    string,
  ];

  test('is this value for these digests in every release', () => {
    expect(modelDigest(config, [a, b])).toBe(
      '034445a679141626bb011aa5bf94095ab468c7d22149d70e50f994a9cccbdacf',
    );
  });

  test('changes with the configuration, any adapter, their order and their number', () => {
    const digests = [
      modelDigest(config, [a, b]),
      modelDigest(a, [a, b]),
      modelDigest(config, [a, a]),
      modelDigest(config, [b, a]),
      modelDigest(config, [a]),
      modelDigest(config, [a, b, b]),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});
