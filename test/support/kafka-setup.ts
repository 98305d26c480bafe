import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { exists } from '#src/store/embedded/processes.js';
import {
  type Cluster,
  DIRECTORY_PREFIX,
  KAFKA_VERSIONS,
  type KafkaVersion,
  missingTools,
  startCluster,
} from './kafka-broker.js';

/** What tests are told of the run's broker. */
export type KafkaAnswer =
  | { readonly brokers: readonly string[]; readonly dataDirs: readonly string[] }
  | { readonly missing: string }
  | { readonly failed: string };

declare module 'vitest' {
  interface ProvidedContext {
    /** A Unix socket: send a version and end, and be told a broker of it. */
    kafkaSocket: string;
  }
}

/** One broker of each version for the whole run, started when a test first asks for it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers();
  const clusters = new Map<KafkaVersion, Promise<Cluster>>();
  const answer = async (asked: string): Promise<KafkaAnswer> => {
    const version = KAFKA_VERSIONS.find((one) => one === asked);
    if (!version) return { failed: `there is no version ${asked}` };
    const missing = await missingTools();
    if (missing) return { missing };
    const cluster = clusters.get(version) ?? startCluster({ version });
    clusters.set(version, cluster);
    try {
      const { brokers, dataDirs } = await cluster;
      return { brokers, dataDirs };
    } catch (error) {
      return { failed: String(error) };
    }
  };
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    let asked = '';
    socket.setEncoding('utf8').on('data', (part) => {
      asked += part;
    });
    socket.on('error', () => {});
    socket.once('end', async () => socket.end(JSON.stringify(await answer(asked))));
  });
  const directory = await mkdtemp(join(tmpdir(), 'legonet-test-socket-'));
  const path = join(directory, 'kafka');
  server.listen(path);
  await once(server, 'listening');
  project.provide('kafkaSocket', path);
  return async () => {
    server.close();
    const started = await Promise.allSettled(clusters.values());
    await Promise.all(
      started.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)),
    );
    await rm(directory, { recursive: true, force: true });
  };
}

/** Ends the brokers of test runs that were killed. */
async function removeLeftovers(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(DIRECTORY_PREFIX));
  for (const name of names) {
    const directory = join(tmpdir(), name);
    const owner = Number(await readFile(join(directory, 'owner'), 'utf8').catch(() => '0'));
    if (owner === 0 || exists(owner)) continue;
    for (const node of ['1', '2', '3']) {
      const file = join(directory, node, 'pid');
      const pid = Number(await readFile(file, 'utf8').catch(() => '0'));
      // Process ids are used again: only what was started with this very directory is ours.
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (pid > 0 && command.includes(join(directory, node))) process.kill(pid, 'SIGKILL');
    }
    await rm(directory, { recursive: true, force: true });
  }
}
