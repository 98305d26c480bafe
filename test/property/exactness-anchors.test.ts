import { describe } from 'vitest';
import { ANCHORS, exactnessProperty } from '../support/exactness.js';

/** `LEGONET_HISTORIES=5000 npx vitest run exactness-anchors` looks further. */
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 100);

describe('the exactness equation, where keys are samples', () => {
  describe('on a log that keeps all', () => exactnessProperty(false, HISTORIES, ANCHORS));
  describe('on a log that compacts', () => exactnessProperty(true, HISTORIES, ANCHORS));
});
