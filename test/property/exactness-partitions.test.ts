import { describe } from 'vitest';
import { exactnessProperty } from '../support/exactness.js';

/** `LEGONET_HISTORIES=5000 npx vitest run exactness` looks further. */
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 60);

describe('the exactness equation, on a log with partitions, each of which keeps the last record of a key', () =>
  exactnessProperty(3, HISTORIES));
