import type { PartitionMetadata } from 'kafkajs';
import kafkajs from 'kafkajs';

/** Places records as Java's clients do: all of a key in one partition, those without key in turn. */
export function createPartitioning(): (topic: string, key: string | null, count: number) => number {
  const partitioner = kafkajs.Partitioners.DefaultPartitioner();
  let partitionMetadata: PartitionMetadata[] = [];
  return (topic, key, count) => {
    if (partitionMetadata.length !== count) {
      partitionMetadata = Array.from({ length: count }, (_, partitionId) => {
        return { partitionId, leader: 0, partitionErrorCode: 0, replicas: [], isr: [] };
      });
    }
    return partitioner({ topic, partitionMetadata, message: { key, value: null } });
  };
}
