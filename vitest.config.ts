import { defineConfig } from 'vitest/config';

// Tests import `#src/*`, the compiled build: what is tested is what ships, worker threads included.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts', 'test/support/kafka-setup.ts'],
    server: { deps: { external: [/\/dist\//] } },
    // Generous on purpose: no test may depend on how fast the machine is.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Brokers end in their own time.
    teardownTimeout: 60_000,
    maxWorkers: 2,
  },
});
