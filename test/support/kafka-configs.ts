import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchJars } from './kafka-broker.js';

const run = promisify(execFile);
/** The last version whose own jars bring the tool. It works on later brokers, too. */
const TOOLS = '3.9.2';

/** Runs what an operator would paste into a shell, with Kafka's own `kafka-configs.sh`. */
export async function paste(command: string): Promise<void> {
  const jars = join(await fetchJars(TOOLS), '*');
  const tool = `kafka-configs.sh() { java -Xmx96m -cp '${jars}' kafka.admin.ConfigCommand "$@"; }`;
  await run('bash', ['-ec', `${tool}\n${command}`]);
}
