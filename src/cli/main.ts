#!/usr/bin/env node
import { run } from './program.js';

// Whoever reads our output may stop when they have seen enough: `legonet versions | head`. What runs is
// told by its signal, and ends in order.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await run(process.argv.slice(2));
