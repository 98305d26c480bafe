import { describe } from 'vitest';
import { softmax, wasmTrainer } from '../support/engines.js';
import { exactnessProperty, smallModel } from '../support/exactness.js';

const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 10);

const { trainer } = await wasmTrainer();

describe('the exactness equation with softmax adapters on WebAssembly', () =>
  exactnessProperty(null, HISTORIES, { model: smallModel({ adapter: softmax() }), trainer }));

describe('the exactness equation with softmax adapters trained in batches', () =>
  exactnessProperty(1, HISTORIES, {
    model: smallModel({ adapter: softmax({ batch: 2 }) }),
    trainer,
  }));
