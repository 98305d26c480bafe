import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetchOnce } from './fetched.js';

/*
 * Real Apache Kafka brokers (KRaft) for tests, from Maven's jars: no container, no tarball.
 */

const run = promisify(execFile);
const POM = fileURLToPath(new URL('../../tools/kafka/pom.xml', import.meta.url));
export const DIRECTORY_PREFIX = 'legonet-test-kafka-';
export const KAFKA_VERSIONS = ['4.4.0', '3.9.2'] as const;
export type KafkaVersion = (typeof KAFKA_VERSIONS)[number];

export type BrokerOptions = {
  readonly version?: KafkaVersion;
  readonly nodes?: 1 | 3;
  /** Broker settings over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More arguments of `kafka-storage format`, such as users of SCRAM. */
  readonly format?: readonly string[];
  /** Where a node tells everybody to find it, given where it listens: a proxy, for one. */
  readonly through?: (host: string) => Promise<string>;
};

/** A running cluster; nodes are numbered from 1. */
export type Cluster = {
  /** host:port of each node, as it tells it. */
  readonly brokers: readonly string[];
  /** Where the nodes keep their logs. */
  readonly dataDirs: readonly string[];
  /** Clean shutdown of all nodes, and everything they kept removed. */
  close(): Promise<void>;
  /** Clean shutdown of one node. */
  stop(node: number): Promise<void>;
  /** kill -9 of one node. */
  kill(node: number): Promise<void>;
  /** Starts a node that was stopped or killed, with its old data, and waits until it is ready. */
  restart(node: number): Promise<void>;
};

/** Why no broker can be started here; undefined if one can. */
export async function missingTools(): Promise<string | undefined> {
  for (const tool of ['java', 'mvn']) {
    try {
      await run(tool, ['-version']);
    } catch (error) {
      return `${tool} does not run: ${String(error).split('\n')[0]}`;
    }
  }
  return undefined;
}

/** The directory with the broker's jars, fetched by Maven the first time. */
export function fetchJars(version: KafkaVersion): Promise<string> {
  return fetchOnce('kafka', version, (directory) => {
    const properties = [`-Dkafka.version=${version}`, `-DoutputDirectory=${directory}`];
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime'];
    return run('mvn', ['-B', '-q', '-f', POM, ...properties, ...goal]);
  });
}

type Node = {
  readonly id: number;
  readonly directory: string;
  /** Where it listens, and where it says that it does. */
  readonly host: string;
  readonly advertised: string;
  process?: ChildProcess;
};

const READY_MS = 120_000;
const STOP_MS = 15_000;
const JVM = ['-Xms96m', '-Xmx256m', '-XX:+UseSerialGC', '-Djava.awt.headless=true'];

export async function startCluster({
  version = '4.4.0',
  nodes: count = 1,
  settings = {},
  format = [],
  through = async (host) => host,
}: BrokerOptions = {}): Promise<Cluster> {
  const jars = join(await fetchJars(version), '*');
  const directory = await mkdtemp(join(tmpdir(), DIRECTORY_PREFIX));
  // Whoever finds the directory after a crash looks here whether its owner still lives.
  await writeFile(join(directory, 'owner'), String(process.pid));
  const ports = await freePorts(2 * count);
  const voters = Array.from({ length: count }, (_, i) => `${i + 1}@127.0.0.1:${ports[2 * i + 1]}`);
  const nodes: Node[] = [];
  for (let id = 1; id <= count; id++) {
    const host = `127.0.0.1:${ports[2 * id - 2]}`;
    const advertised = await through(host);
    nodes.push({ id, directory: join(directory, String(id)), host, advertised });
  }
  const clusterId = `A${randomBytes(16).toString('base64url').slice(1, 22)}`;
  const close = async () => {
    await Promise.all(nodes.map((node) => end(node, 'SIGTERM')));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    for (const node of nodes) {
      await mkdir(node.directory);
      const properties = { ...defaults(node, voters, ports), ...settings };
      const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
      const file = join(node.directory, 'server.properties');
      await writeFile(file, `${lines.join('\n')}\n`);
      const storage = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file];
      await run('java', ['-Xmx96m', '-XX:+UseSerialGC', '-cp', jars, ...storage, ...format]);
    }
    await Promise.all(nodes.map((node) => launch(node, jars)));
  } catch (error) {
    await close();
    throw error;
  }
  const nodeOf = (id: number): Node => {
    const node = nodes[id - 1];
    if (!node) throw new Error(`there is no node ${id}`);
    return node;
  };
  return {
    brokers: nodes.map(({ advertised }) => advertised),
    dataDirs: nodes.map((node) => join(node.directory, 'data')),
    close,
    stop: (id) => end(nodeOf(id), 'SIGTERM'),
    kill: (id) => end(nodeOf(id), 'SIGKILL'),
    restart: (id) => launch(nodeOf(id), jars),
  };
}

function defaults(
  { id, directory, host, advertised }: Node,
  voters: readonly string[],
  ports: readonly number[],
): Record<string, string> {
  const replicas = String(voters.length);
  const insync = voters.length > 1 ? '2' : '1';
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters.join(','),
    listeners: `PLAINTEXT://${host},CONTROLLER://127.0.0.1:${ports[2 * id - 1]}`,
    'advertised.listeners': `PLAINTEXT://${advertised}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(directory, 'data'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': insync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': insync,
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '2000',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '1000',
    'log.cleaner.dedupe.buffer.size': '33554432',
    'log.cleaner.backoff.ms': '50',
  };
}

/** Starts a node and waits until it is ready; throws with the end of its log if it ends before. */
async function launch(node: Node, jars: string): Promise<void> {
  if (node.process) return;
  const logFile = join(node.directory, 'broker.log');
  const log = await open(logFile, 'w');
  const options = [...JVM, '-Dorg.slf4j.simpleLogger.defaultLogLevel=info'];
  const main = ['kafka.Kafka', join(node.directory, 'server.properties')];
  const child = spawn('java', [...options, '-cp', jars, ...main], {
    stdio: ['ignore', log.fd, log.fd],
  });
  await once(child, 'spawn');
  await log.close();
  await writeFile(join(node.directory, 'pid'), String(child.pid));
  node.process = child;
  for (let waited = 0; waited < READY_MS; waited += 100) {
    const text = await readFile(logFile, 'utf8');
    if (text.includes('Kafka Server started')) return;
    if (child.exitCode !== null) break;
    await sleep(100);
  }
  const text = await readFile(logFile, 'utf8');
  await end(node, 'SIGKILL');
  throw new Error(`node ${node.id} did not start:\n${text.split('\n').slice(-20).join('\n')}`);
}

async function end(node: Node, how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const child = node.process;
  delete node.process;
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(how);
  // The last of several combined nodes may find no quorum left, and wait for one for ever.
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exit;
  clearTimeout(timer);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address ? address.port : 0;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
