import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { signEd25519 } from '#src/audit/log/ed25519.js';
import { fastSign } from '#src/publish/fast-sign.js';

test('signs to the same bytes, whichever key comes after which', () => {
  for (let i = 0; i < 20; i++) {
    const [seed, message] = [randomBytes(32), randomBytes(i * 7)];
    expect(Buffer.from(fastSign(message, seed))).toEqual(Buffer.from(signEd25519(message, seed)));
  }
});
