import { expect, test } from 'vitest';
import { nativeOrSkip } from '../support/tensorflow.js';
import { describeInProcess, engineContract } from './engine.js';

nativeOrSkip('the native engine', () => {
  engineContract('native');

  test('is told by its probe from one that rounds otherwise', async () => {
    const plain = await describeInProcess('native', { TF_ENABLE_ONEDNN_OPTS: '0' });
    expect(plain).not.toEqual(await describeInProcess('native'));
  });
});
