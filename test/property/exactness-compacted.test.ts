import { describe } from 'vitest';
import { exactnessProperty } from '../support/exactness.js';

/** `LEGONET_HISTORIES=5000 npx vitest run exactness` looks further. */
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 100);

describe('the exactness equation, on a log that keeps the last record of each key', () =>
  exactnessProperty(1, HISTORIES));
