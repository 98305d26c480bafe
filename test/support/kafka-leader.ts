import { createClient } from '#src/log/kafka/connection.js';
import type { Cluster } from './kafka-broker.js';

/** The node that leads partition 0. */
export async function leaderOf({ brokers }: Cluster, topic: string): Promise<number> {
  const admin = createClient({ brokers }, () => {}).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partition = topics[0]?.partitions.find(({ partitionId }) => partitionId === 0);
    if (!partition || partition.leader < 1)
      throw new Error(`partition 0 of ${topic} has no leader`);
    return partition.leader;
  } finally {
    await admin.disconnect();
  }
}
