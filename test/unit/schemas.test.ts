import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fileSchemas } from '#src/audit/certificate/json-schema.js';
import { schemaFile } from '#src/events/json-schema.js';
import { EVENT_TYPES, type EventType } from '#src/events/schemas.js';

const root = join(import.meta.dirname, '../..');

it('the JSON Schemas in schemas/ are those of the code', () => {
  const script = join(root, 'tools/generate.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

it('every type of events and files has its schema, and no schema is left without its type', () => {
  const events = Object.keys(EVENT_TYPES).map((type) => schemaFile(type as EventType));
  const files = [...events, ...Object.keys(fileSchemas()).map((type) => `${type}.schema.json`)];
  expect(readdirSync(join(root, 'schemas')).filter((f) => f.endsWith('.schema.json'))).toEqual(
    files.sort(),
  );
});
