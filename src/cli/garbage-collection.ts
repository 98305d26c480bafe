import { setFlagsFromString } from 'node:v8';

/*
 * Imported before anything else, while no heap of the process is being marked yet: V8 marks with four threads more
 * beside the threads of a build, which has as many as there are cores. On two cores a deletion took 14 % longer so,
 * for a heap of 20 MB (docs/benchmarks.md). What needs to be marked is then marked by the thread whose it is.
 */
setFlagsFromString('--no-concurrent-marking');
