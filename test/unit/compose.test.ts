import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const schema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      build: z.string().optional(),
      environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
      healthcheck: z
        .object({ test: z.array(z.string()).optional(), disable: z.boolean().optional() })
        .optional(),
      ports: z.array(z.string()).default([]),
      volumes: z.array(z.string()).default([]),
      depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
    }),
  ),
  volumes: z.record(z.string(), z.unknown()),
});

const text = read('compose.yaml');
const { services, volumes } = schema.parse(parse(text, { merge: true }));
const dockerfile = read('Dockerfile');
const page = read('docs/how-to/docker.md');

describe('compose.yaml', () => {
  const all = Object.entries(services);

  test('runs Kafka, PostgreSQL and Legonet', () => {
    expect(Object.keys(services)).toEqual(['secrets', 'kafka', 'postgres', 'legonet']);
  });

  test.each(all)('pins the image of %s', (_, { image }) => {
    expect(image).toMatch(/^[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z0-9-]+)?$/);
  });

  test('builds the version that package.json says', () => {
    const { version } = JSON.parse(read('package.json'));
    for (const { build, image } of all.map(([, service]) => service)) {
      if (build !== undefined) expect(image).toBe(`legonet:${version}`);
    }
  });

  test.each(all)('publishes ports of %s on loopback only', (_, { ports }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test('has no secret in it: passwords come from files', () => {
    for (const [name, { environment }] of all) {
      for (const variable of Object.keys(environment)) {
        if (/PASSWORD|DATABASE_URL|TOKEN|KEY|SECRET/.test(variable)) {
          expect(variable, name).toMatch(/_FILE$/);
        }
      }
    }
    expect(text).not.toMatch(/postgres(ql)?:\/\//);
  });

  test('checks the health of what runs on, and waits for it', () => {
    for (const [name, { healthcheck, build }] of all) {
      if (healthcheck?.disable) continue;
      const checked = healthcheck?.test !== undefined || build !== undefined;
      expect(checked, name).toBe(true);
    }
    expect(dockerfile).toMatch(/^HEALTHCHECK /m);
    for (const [name, { depends_on: others }] of all) {
      for (const [other, { condition }] of Object.entries(others)) {
        const ends = services[other]?.healthcheck?.disable === true;
        expect(condition, `${name} on ${other}`).toBe(
          ends ? 'service_completed_successfully' : 'service_healthy',
        );
      }
    }
    expect(Object.keys(services.legonet?.depends_on ?? {})).toEqual(['kafka', 'postgres']);
  });

  test('names every volume that it mounts', () => {
    const mounted = all.flatMap(([, service]) => service.volumes.map((one) => one.split(':')[0]));
    expect([...new Set(mounted)].sort()).toEqual(Object.keys(volumes).sort());
  });

  test('sets what there is to set, and nothing else', () => {
    const settings = read('docs/reference/settings.md') + page;
    for (const name of Object.keys(services.legonet?.environment ?? {})) {
      expect(settings, name).toContain(`\`${name}\``);
    }
    const variables = [...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name);
    expect(variables.length).toBeGreaterThan(0);
    for (const name of variables) expect(page).toContain(`\`${name}\``);
  });
});

describe('Dockerfile', () => {
  test('pins its base and runs as an ordinary user, without a shell in between', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name = '']) => name);
    for (const base of bases) {
      if (base !== 'base') expect(base).toMatch(/^node:22\.\d+\.\d+-[a-z-]+$/);
    }
    expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(dockerfile).toMatch(/^ENTRYPOINT \["node", "\/app\/dist\/cli\/main\.js"\]$/m);
    expect(dockerfile).toMatch(/^CMD \["start"\]$/m);
  });

  test('copies nothing that .dockerignore keeps out', () => {
    const allowed = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path = '']) => path);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, paths = '']) => paths.split(' '),
    );
    expect(copied.length).toBeGreaterThan(5);
    expect([...new Set(copied)].sort()).toEqual(allowed.sort());
  });
});
