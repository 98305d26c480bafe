import { describe } from 'vitest';
import { exactnessProperty, smallModel } from '../support/exactness.js';

/** `LEGONET_HISTORIES=5000 npx vitest run exactness-anchors` looks further. */
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 60);

const subject = { model: smallModel({ keys: { kind: 'anchors', seed: 'tiny' } }), trainer: null };

describe('the exactness equation, where keys are samples', () => {
  describe('on a log that keeps all', () => exactnessProperty(null, HISTORIES, subject));
  describe('on a log that compacts', () => exactnessProperty(1, HISTORIES, subject));
});
