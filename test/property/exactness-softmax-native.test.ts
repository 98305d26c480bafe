import { describe } from 'vitest';
import { isNativeInstalled } from '#src/engine/choose.js';
import { openTrainer } from '#src/engine/trainer.js';
import { softmax } from '../support/engines.js';
import { exactnessProperty, smallModel } from '../support/exactness.js';

// A file of its own: a thread has one engine for as long as it lives.
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 10);

describe.skipIf(!isNativeInstalled())(
  'the exactness equation with softmax adapters on the native engine',
  async () => {
    const { trainer } = isNativeInstalled() ? await openTrainer('native', null) : { trainer: null };
    exactnessProperty(null, HISTORIES, { model: smallModel({ adapter: softmax() }), trainer });
  },
);
