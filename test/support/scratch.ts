import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The name of the variable by which test files learn of the run's scratch directory. */
export const SCRATCH_VARIABLE = 'LEGONET_TEST_SCRATCH';

/** The data directory of whatever a test starts without one of its own; gone after the run. */
export const SCRATCH = process.env[SCRATCH_VARIABLE] ?? join(tmpdir(), 'legonet-test-scratch');
