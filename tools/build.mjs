// Compiles TypeScript to dist/ and the AssemblyScript kernels to dist/kernel/*.wasm.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const run = (script, ...args) =>
  execFileSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });

run(join(dirname(require.resolve('typescript/package.json')), 'bin/tsc'));

const assembly = join(root, 'src/kernel/assembly');
const asc = join(dirname(require.resolve('assemblyscript/package.json')), 'bin/asc.js');
for (const file of readdirSync(assembly).filter((name) => name.endsWith('.as.ts'))) {
  const out = `dist/kernel/${file.replace('.as.ts', '.wasm')}`;
  // No relaxed SIMD: it may fuse or reorder, and then two machines would disagree in the last bit.
  const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--importMemory'];
  run(asc, join('src/kernel/assembly', file), '-o', out, ...flags);
}

const main = join(root, 'dist/cli/main.js');
if (existsSync(main)) chmodSync(main, 0o755);
