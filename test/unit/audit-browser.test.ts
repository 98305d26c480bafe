import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const AUDIT = join(import.meta.dirname, '../../dist/audit');

/** Everything that a module imports, and what that imports, packages included. */
function importsOf(start: string): { readonly files: Set<string>; readonly builtins: string[] } {
  const files = new Set<string>();
  const builtins: string[] = [];
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(file, 'utf8');
    const paths = text.matchAll(
      /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
    );
    for (const [, from, bare, dynamic] of paths) {
      const path = from ?? bare ?? dynamic ?? '';
      if (isBuiltin(path)) builtins.push(`${file} -> ${path}`);
      else visit(fileURLToPath(import.meta.resolve(path, pathToFileURL(file).href)));
    }
  };
  visit(start);
  return { files, builtins };
}

const modules = readdirSync(AUDIT, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.js'),
);

test.each(modules)('audit/%s runs in a browser: nothing of Node is below it', (name) => {
  expect(importsOf(join(AUDIT, name)).builtins).toEqual([]);
});

test('what is of Node is found where it is', () => {
  const file = join(AUDIT, '../model/digest.js');
  expect(importsOf(file).builtins).toEqual([`${file} -> node:crypto`]);
});

test('the verifier is the one that is looked at, with the packages that it needs', () => {
  const { files } = importsOf(join(AUDIT, 'certificate/verify.js'));
  const packages = [...files].flatMap(
    (file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
  );
  expect([...new Set(packages)].sort()).toEqual([
    '@noble/curves',
    '@noble/hashes',
    'canonicalize',
    'zod',
  ]);
});
