// Writes what is generated from the compiled code; with --check, tells what is not up to date instead.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventSchema, schemaFile } from '../dist/events/json-schema.js';
import { EVENT_TYPES } from '../dist/events/schemas.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const files = Object.keys(EVENT_TYPES).map((type) => ({
  path: `schemas/${schemaFile(type)}`,
  text: `${JSON.stringify(eventSchema(type), null, 2)}\n`,
}));

if (process.argv.includes('--check')) {
  const stale = files.filter(({ path, text }) => read(path) !== text);
  for (const { path } of stale) console.error(`${path} is not up to date: run npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(join(root, 'schemas'), { recursive: true });
  for (const { path, text } of files) writeFileSync(join(root, path), text);
}

function read(path) {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}
