import { describe } from 'vitest';
import { exactnessProperty } from '../support/exactness.js';

/** `LEGONET_HISTORIES=5000 npx vitest run exactness` looks further. */
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 200);

describe('the exactness equation', () => exactnessProperty(null, HISTORIES));
